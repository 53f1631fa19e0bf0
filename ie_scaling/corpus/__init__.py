"""Text to tokens: documents, tokenizers, token shards on disk, and the Grain pipeline that reads them."""
