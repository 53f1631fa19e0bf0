"""Decode latency measured: timing, ceilings, the benchmark."""
