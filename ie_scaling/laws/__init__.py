"""Scaling laws of the loss: forms, least squares, posteriors, and the evidence for them."""
