"""Architectures by name: public models, Hugging Face configs, grids written out."""
