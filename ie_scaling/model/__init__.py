"""The Flax decoder whose shape is an Architecture."""
