"""Posterior sampling, whatever the model: NUTS, its gate, and the arithmetic both run in."""
