"""The latency law: what a step, a layer, a byte and a FLOP cost, as a posterior."""
