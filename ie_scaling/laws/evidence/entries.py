"""Who enters the contest of ways to predict: approaches, with their laws, their stacks, and orders that fit no law."""

import dataclasses
import enum
from collections.abc import Collection

from ie_scaling.inference.config import NutsConfig
from ie_scaling.laws.evidence.decisions import Curve


class Approach(enum.StrEnum):
    """A way to predict runs."""

    BAYES = "bayes"
    STACKED = "bayes stacked"
    BOOTSTRAP = "bootstrap"
    BOOTSTRAP_STACKED = "bootstrap stacked"  # bootstraps of the same laws in the proportions of the stacked posterior
    CONFORMAL = "conformal"
    CONFORMAL_STACKED = "conformal stacked"
    CURVE_FIT = "curve_fit"
    SMALL_SCALE = "one small scale"
    MORE_PARAMETERS = "more parameters"
    AT_RANDOM = "at random"  # the yardstick of decisions; not fitted


STACKS = {
    Approach.BAYES: Approach.STACKED,
    Approach.BOOTSTRAP: Approach.BOOTSTRAP_STACKED,
    Approach.CONFORMAL: Approach.CONFORMAL_STACKED,
}


@dataclasses.dataclass(frozen=True)
class Entry:
    """An approach, with its law where it fits one (NAME, NAME:TIE or NAME:TIE:COUNT), or its curve."""

    approach: Approach
    law: str = ""

    def __str__(self) -> str:
        return f"{self.approach} {self.law}".strip()

    def by(self, approach: Approach) -> "Entry":
        """The entry of the same law, or stack of laws, by another approach."""
        return Entry(approach, self.law) if self.law else Entry(STACKS[approach])


ORDERS = (*(Entry(Approach.SMALL_SCALE, curve) for curve in Curve), Entry(Approach.MORE_PARAMETERS))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contest:
    """Who enters: a posterior, a bootstrap and a conformal curve of each law, their stacks, and laws as published."""

    laws: tuple[str, ...]
    published: tuple[str, ...]
    n_bootstrap: int
    nuts: NutsConfig
    seed: int
    extrapolate: float = 0.25

    def without(self, laws: Collection[str]) -> "Contest":
        """The contest without the laws that a table cannot be asked about."""
        kept = {name: tuple(law for law in getattr(self, name) if law not in laws) for name in ("laws", "published")}
        return dataclasses.replace(self, **kept)

    @property
    def entries(self) -> list[Entry]:
        """All of them, in the order of the tables of scores."""
        entries = []
        for approach, stack in STACKS.items():
            entries += [Entry(approach, law) for law in self.laws]
            entries += [Entry(stack)] if len(self.laws) > 1 else []
        return [*entries, *(Entry(Approach.CURVE_FIT, law) for law in self.published), *ORDERS]
