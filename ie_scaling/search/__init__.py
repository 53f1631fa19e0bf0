"""Decisions: which shape to train, and which run to do next."""
