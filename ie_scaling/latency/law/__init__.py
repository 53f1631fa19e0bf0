"""The latency law: a Bayesian regression of measured decode times, and the latency of shapes never timed."""
