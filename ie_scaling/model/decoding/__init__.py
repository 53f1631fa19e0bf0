"""The decode engine: weights laid out for reading, the KV cache, prefill and step."""
