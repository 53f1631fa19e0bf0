"""Scaling laws: forms, least squares, Bayesian posteriors and ranking."""
