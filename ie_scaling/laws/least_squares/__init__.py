"""Least squares: many starts at once, Newton steps, and what a table cannot identify."""
