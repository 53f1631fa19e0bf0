"""Text to a tokenizer and memory-mapped token shards, in parallel.

python run.py --config=configs/prepare_data.py --workdir=runs/corpus [--config.text=FOLDER|FILE]

A file or a folder may hold text, JSON lines or arrays (.json, .jsonl, .gz and .zst), Parquet and Arrow, mixed or not;
what is left out is listed. --config.max_bytes=0 takes all of it; --config.tokenizer=byte, or the path of a
tokenizer.json, other tokens; --config.null_text=skip and --config.binary_files=skip leave out rows of null text and
binary files.
Cost: about 10 s on two cores for the standard library. Expect about 4.2M train and 0.4M validation tokens. Interrupted,
it goes on when started again.
"""

from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.running.config import to_config_dict


def get_config():
    return to_config_dict(CorpusConfig(), "prepare_data")
