"""The calls from Python (`import ie_scaling as ies`) and what they return; what the commands call does the work."""
