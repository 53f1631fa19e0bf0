"""Text to a tokenizer and token shards."""

import dataclasses
from pathlib import Path

from ie_scaling.corpus import manifest
from ie_scaling.corpus.config import NOT_IDENTITY, CorpusConfig
from ie_scaling.running import diagnostic, stopping, workdir
from ie_scaling.running.diagnostic import Diagnostic, Kind

Config = CorpusConfig
MAY_CHANGE = NOT_IDENTITY
FIXED_S, S_PER_MB = 10, 2  # of one core, for a rough estimate


def placed(config: Config, directory: Path) -> Config:
    """The corpus is made in the work directory: config.directory is for experiments that read one."""
    return dataclasses.replace(config, directory=str(directory))


def inputs_of(config: Config) -> workdir.Inputs:
    """What is compared by content besides the text, which the manifest knows."""
    return config.inputs


def run(config: Config, _: Path) -> list[Diagnostic]:
    """Prepare the corpus, or go on.

    Raises:
      InputError: bad input; what a first start has written until then is taken away.
      Stopped: by a signal.
    """
    from ie_scaling.corpus import prepare

    with stopping.broken_off():
        prepared = prepare.prepare(config)
    return diagnostic.each(Kind.CORPUS, prepared["warnings"])


def load(config: Config) -> list[str]:
    """What preparing would warn of; reads the text, and tokenizes no more than a sample.

    Raises:
      InputError: whatever preparing would refuse.
    """
    from ie_scaling.corpus import prepare

    return prepare.check(config)


def preview(_: Config, warnings: list[str]) -> list[Diagnostic]:
    """What preparing would warn of."""
    return diagnostic.each(Kind.CORPUS, warnings)


def estimate(config: Config, _: list[str]) -> str:
    """Megabytes and a rough time."""
    from ie_scaling.corpus import pool, prepare

    size = prepare.estimate_bytes(config) / 1e6
    cores = config.n_workers or pool.n_cores()
    return f"about {size:.1f} MB of text; roughly {FIXED_S + S_PER_MB * size / cores:.0f} s on {cores} cores"


def show(directory: Path) -> None:
    """How much text, what was left out of it, and the entropy a model has to beat."""
    from ie_scaling.corpus import prepare

    print(prepare.describe(manifest.load_sealed(directory)))
