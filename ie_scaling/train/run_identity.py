"""What a run's checkpoints must have come from: its configuration and the content of its corpora."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ie_scaling import config as config_lib
from ie_scaling.corpus.tokens import TokenStore
from ie_scaling.errors import InputError
from ie_scaling.train.config import TrainConfig

MAY_CHANGE = ("runtime",)  # what a run that is taken up again need not have in common with its first start


@dataclasses.dataclass(frozen=True)
class RunIdentity:
    """The steps of a run, and digests of all that decides its losses: configuration and token shards."""

    n_steps: int
    run: str
    data: str

    @classmethod
    def of(cls, config: TrainConfig, stores: Sequence[TokenStore]) -> "RunIdentity":
        """That of `config` trained on `stores`."""
        fields = {name: value for name, value in config_lib.to_plain(config).items() if name not in MAY_CHANGE}
        return cls(config.n_steps, _digest(fields), data_digest(stores))

    @property
    def metadata(self) -> dict[str, str]:
        """What a checkpoint says of where it comes from, JSON-ready."""
        return {"run": self.run, "data": self.data}

    def contradiction(self, step: int, metadata: Mapping[str, Any]) -> str:
        """Why a checkpoint with these metadata cannot be this run's at `step`; "" where it can.

        Raises:
          InputError: it is this run's, trained on another text.
        """
        if not 0 < step <= self.n_steps:
            return f"is beyond the run's {self.n_steps} steps"
        if metadata.get("run", self.run) != self.run:
            return "is another run's"
        data = metadata.get("data", self.data)
        if data != self.data:
            raise InputError(
                f"recipe.corpus: the run was trained to step {step} on tokens {data!s:.12}, the corpus now holds "
                f"{self.data:.12}; bring the earlier corpus back, or choose another --workdir"
            )
        return ""


def data_digest(stores: Sequence[TokenStore]) -> str:
    """SHA-256 over the hashes of tokenizer and shards, in their order; not over where they lie."""
    return _digest([[store.split, store.tokenizer_sha256, [sha256 for _, sha256 in store.shards]] for store in stores])


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
