"""How a verb runs: its configuration, work directory, files, progress, signals and environment."""
