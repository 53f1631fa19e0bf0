"""Text to a tokenizer and memory-mapped token shards, in parallel.

python run.py --config=configs/prepare_data.py --workdir=runs/corpus [--config.text=FOLDER|FILE]

A folder holds text files, or .jsonl, .jsonl.gz, .jsonl.zst and .parquet files; one such file will do as well.
--config.max_bytes=0 takes all of it; --config.tokenizer=byte, or the path of a tokenizer.json, other tokens.
Cost: about 10 s on two cores for the standard library. Expect about 4.2M train and 0.4M validation tokens. Interrupted,
it goes on when started again.
"""

from ie_scaling.config import to_config_dict
from ie_scaling.corpus.config import CorpusConfig


def get_config():
    return to_config_dict(CorpusConfig(), "prepare_data")
