"""Randomly damaged inputs through the real readers: `python -m tests.fuzz KIND --cases 1000 --seed 1`."""
