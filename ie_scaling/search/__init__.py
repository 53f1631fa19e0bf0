"""Decisions: which shape to train, how sure that is, and what it costs in latency."""
