"""Decode latency: the decode engine, timing, the benchmark, and a law of it."""
