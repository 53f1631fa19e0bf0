"""Two studies: the quickstart, from text to a recommendation and its test; and decode latency against shape."""
