"""Laws as posteriors: the model, sampling, draws and their file, and what follows from them."""
