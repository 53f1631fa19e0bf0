"""Training runs: optimiser, step, checkpoints, loop, several processes, prices, sweeps."""
