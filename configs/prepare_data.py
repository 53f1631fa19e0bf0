"""Text to a byte-pair tokenizer and token arrays.

python run.py --config=configs/prepare_data.py --workdir=runs/corpus [--config.text=FOLDER|FILE.jsonl[.gz]]

Cost: about 15 s on two cores for the standard library. Expect about 4.2M train and 0.4M validation tokens.
"""

from ie_scaling.config import to_config_dict
from ie_scaling.corpus.config import CorpusConfig


def get_config():
    return to_config_dict(CorpusConfig(), "prepare_data")
