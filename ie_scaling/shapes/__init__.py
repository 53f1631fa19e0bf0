"""Architectures by name: a shape's own, a public model's, or a Hugging Face config.json."""
