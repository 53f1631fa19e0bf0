"""A study: the whole chain from text to a recommendation and its test, in one resumable directory."""
