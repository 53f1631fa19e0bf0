"""The verbs: one file each, or a folder for a study of several; their interface is that of running/runner.py."""
