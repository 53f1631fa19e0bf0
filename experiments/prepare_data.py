"""Text to a tokenizer and token arrays."""

import dataclasses
from pathlib import Path

from ie_scaling.corpus import prepare
from ie_scaling.corpus.config import CorpusConfig as Config


def main(config: Config, directory: Path) -> list[str]:
    """Prepare the corpus in `directory` (config.directory is for experiments that read one)."""
    manifest = prepare.prepare(dataclasses.replace(config, directory=str(directory)))
    print(prepare.describe(manifest))
    return []


def estimate(config: Config) -> str:
    """What preparing will take."""
    size = sum(len(text.encode()) for _, text in prepare.gather(config))
    return f"{size / 1e6:.1f} MB of text; roughly {10 + size / 1e6:.0f} s on two cores"
