"""Text to a tokenizer and token shards."""

import dataclasses
from pathlib import Path

from ie_scaling.corpus import pool, prepare
from ie_scaling.corpus.config import CorpusConfig as Config
from ie_scaling.running import stopping

MAY_CHANGE = prepare.NOT_IDENTITY
inputs_of = prepare.inputs_of


def main(config: Config, directory: Path) -> list[str]:
    """Prepare the corpus in `directory` (config.directory is for experiments that read one)."""
    with stopping.broken_off():
        manifest = prepare.prepare(dataclasses.replace(config, directory=str(directory)))
    print(prepare.describe(manifest))
    return manifest["warnings"]


def check(config: Config, directory: Path) -> list[str]:
    """What preparing would warn of; raises what it would refuse."""
    return prepare.check(dataclasses.replace(config, directory=str(directory)))


def estimate(config: Config) -> str:
    """What preparing will take."""
    size = prepare.estimate_bytes(config) / 1e6
    cores = config.n_workers or pool.n_cores()
    return f"about {size:.1f} MB of text; roughly {10 + 2 * size / cores:.0f} s on {cores} cores"
