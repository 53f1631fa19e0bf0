"""Training runs: optimizer, step, checkpoints, loop, several processes, prices, sweeps."""
