"""Identity of a run and its checkpoints: the configuration and the content of the corpora."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ie_scaling.corpus import manifest
from ie_scaling.running import config as config_lib
from ie_scaling.running import diagnostic
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.train.config import RecipeConfig, TrainConfig

MAY_CHANGE = ("runtime",)  # what a run that is taken up again need not have in common with its first start


@dataclasses.dataclass(frozen=True)
class RunIdentity:
    """The steps of a run, and digests of all that decides its losses: configuration and token shards."""

    n_steps: int
    run: str
    data: str

    @classmethod
    def of(cls, config: TrainConfig) -> "RunIdentity":
        """That of `config` trained on its corpora as they are now."""
        fields = {name: value for name, value in config_lib.to_plain(config).items() if name not in MAY_CHANGE}
        return cls(config.n_steps, _digest(fields), _digest([str(one) for one in corpora(config.recipe).values()]))

    @property
    def metadata(self) -> dict[str, str]:
        """What a checkpoint says of where it comes from, JSON-ready."""
        return {"run": self.run, "data": self.data}

    def contradiction(self, step: int, metadata: Mapping[str, Any]) -> str:
        """Why a checkpoint with these metadata cannot be this run's at `step`; "" where it can."""
        if not 0 < step <= self.n_steps:
            return f"is beyond the run's {self.n_steps} steps"
        if "step" in metadata and not {"run", "data"} <= metadata.keys():  # before these, no step was stored either
            return "does not say which run it is of"
        if metadata.get("run", self.run) != self.run:
            return "is another run's"
        data = metadata.get("data", self.data)
        if data != self.data:
            return f"was trained on another text (tokens {data!s:.12}, the corpus now holds {self.data:.12})"
        return ""


def corpora(recipe: RecipeConfig) -> dict[str, str | None]:
    """The inputs of a run for its work directory: "corpus DIRECTORY" -> digest of its tokenizer and shards.

    None for one that is not prepared.

    Raises:
      InputError: a manifest that is none.
    """
    return {f"corpus {directory}": _content(directory) for directory in recipe.mixture_weights}


def corpus_diagnostics(recipes: Iterable[RecipeConfig]) -> list[Diagnostic]:
    """What the manifests of the corpora warn of, each once: it bears on every loss measured on them."""
    directories = dict.fromkeys(directory for recipe in recipes for directory in recipe.mixture_weights)
    prepared = [directory for directory in directories if (Path(directory) / manifest.MANIFEST).is_file()]
    warnings = dict.fromkeys(line for directory in prepared for line in manifest.load(directory)["warnings"])
    return diagnostic.each(Kind.CORPUS, warnings)


def diagnostics(directory: Path, recipes: Iterable[RecipeConfig]) -> list[Diagnostic]:
    """Those of a finished run or sweep; for one by a version that wrote none, its corpora's."""
    if (directory / diagnostic.FILE_NAME).exists():
        return diagnostic.read(directory)
    return corpus_diagnostics(recipes)


def _content(directory: str) -> str | None:
    return manifest.identity(directory) if (Path(directory) / manifest.MANIFEST).is_file() else None


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
