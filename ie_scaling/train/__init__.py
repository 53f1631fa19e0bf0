"""Training runs: data, optimiser, checkpoint, loop and sweep."""
