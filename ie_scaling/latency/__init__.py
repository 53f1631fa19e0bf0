"""Decode latency: engine, timing, benchmark and law."""
