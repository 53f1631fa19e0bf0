"""One file per verb; each offers Config, main(config, directory) and estimate(config) to run.py."""
