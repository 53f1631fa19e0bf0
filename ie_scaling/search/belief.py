"""Belief: the posterior that predicts losses, or several of the same rows in their stacked mixture."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError, short
from ie_scaling.laws.bayes import leave_out, stacking
from ie_scaling.laws.bayes.posterior import Posterior, load_fit
from ie_scaling.laws.bayes.predictive import Identity, Predictive
from ie_scaling.laws.observations import Features
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.search.space import Space
from ie_scaling.tables import run_source


class Description(TypedDict):
    """The law, or laws, behind an answer."""

    law: str
    tie: str
    count: str
    method: str


@dataclasses.dataclass(frozen=True)
class Belief:
    """One posterior, or several of the same rows in their stacked mixture."""

    posteriors: tuple[Posterior, ...]
    stack: stacking.Stack | None = None

    @classmethod
    def load(cls, fits: str) -> "Belief":
        """From fit directories with commas between them.

        Raises:
          InputError: one that is absent or named twice, or several that were not fitted to the same rows.
        """
        names = run_source.split_paths(fits)
        if len({Path(name).resolve() for name in names}) < len(names):
            raise InputError(f"fit={short(fits)}: names a directory twice; each law is stacked once")
        return cls.of([load_fit(name) for name in names])

    @classmethod
    def of(cls, posteriors: Sequence[Posterior]) -> "Belief":
        """From one posterior, or several, which are stacked.

        Raises:
          InputError: none, or several that were not fitted to the same rows.
        """
        if not posteriors:
            raise InputError("posterior: none; give at least one")
        posteriors = tuple(posteriors)
        return cls(posteriors, stacking.stack(posteriors) if len(posteriors) > 1 else None)

    @property
    def n_draws(self) -> int:
        """Draws of the mixture: as many as the shortest posterior has."""
        return min(posterior.n_draws for posterior in self.posteriors)

    def require(self, space: Space, n_tokens: float) -> None:
        """Check that candidates have what every law needs.

        Raises:
          InputError: one is unknown.
        """
        features = space.take(np.arange(1)).features(n_tokens)  # all of them know the same
        for posterior in self.posteriors:
            posterior.require(features)

    def identify(self, architectures: Sequence[Architecture]) -> list[Identity]:
        """Which fitted models each candidate is; all posteriors are of the same models."""
        return self.posteriors[0].identify(architectures)

    def losses(
        self, features: Features, level: str, seed: int, identities: Sequence[Identity]
    ) -> "Predictive | Mixture":
        """As `Posterior.losses`; each law gives draws in proportion to its weight."""
        parts = [
            posterior.losses(features, level=level, seed=seed, model_ids=identities) for posterior in self.posteriors
        ]
        return parts[0] if self.stack is None else Mixture.of(parts, self.posteriors, self.stack, self.n_draws)

    def describe(self) -> Description:
        """Law, tie, count and method; `stacked` and the laws' names where there are several."""
        first = self.posteriors[0]
        if self.stack is None:
            return Description(law=first.law.name, tie=first.law.tie, count=first.law.count, method=first.method)
        names = " + ".join(posterior.law.name for posterior in self.posteriors)
        return Description(law=f"stacked ({names})", tie="", count="of each law", method="stacked")

    @property
    def used(self) -> list[Posterior]:
        """The posteriors that give draws."""
        if self.stack is None:
            return list(self.posteriors)
        counts = stacking.apportion(self.stack.weight_K, self.n_draws)
        return [posterior for posterior, count in zip(self.posteriors, counts, strict=True) if count]

    def diagnostics(self) -> list[Diagnostic]:
        """Every failed diagnostic of the posteriors in use, and of their stacking."""
        failed = [
            Diagnostic(Kind.LAW, f"law {posterior.law.name}", line)
            for posterior in self.used
            for line in posterior.all_failures
        ]
        return failed if self.stack is None else failed + self._unreliable()

    def _unreliable(self) -> list[Diagnostic]:
        assert self.stack is not None
        n_models = len(self.posteriors[0].model_ids)
        return [
            Diagnostic(
                Kind.LAW,
                f"law {posterior.law.name}",
                f"{count} of {n_models} models have Pareto k above {leave_out.RELIABLE_K:g} when left out; its "
                "stacking weight rests on too few draws",
            )
            for posterior, count in zip(self.posteriors, self.stack.n_unreliable_K, strict=True)
            if count
        ]


@dataclasses.dataclass(frozen=True)
class Mixture:
    """Predictions of K laws as one: draw w of the mixture is draw `draw_W` of law `law_W`."""

    parts: Sequence[Predictive]
    law_W: np.ndarray
    draw_W: np.ndarray

    @classmethod
    def of(
        cls, parts: Sequence[Predictive], posteriors: Sequence[Posterior], stack: stacking.Stack, n_draws: int
    ) -> "Mixture":
        """Each law's share of the draws, spread over its chains, and the laws spread over the mixture's draws."""
        law_W, draw_W, position_W = [], [], []
        for k, count in enumerate(stacking.apportion(stack.weight_K, n_draws)):
            law_W.append(np.full(count, k))
            draw_W.append(np.linspace(0, posteriors[k].n_draws - 1, count).astype(int))
            position_W.append((np.arange(count) + 0.5) / max(count, 1))
        order_W = np.argsort(np.concatenate(position_W), kind="stable")
        return cls(parts, np.concatenate(law_W)[order_W], np.concatenate(draw_W)[order_W])

    def __call__(self, draws_w: np.ndarray, positions: np.ndarray | None = None) -> np.ndarray:
        """As `Predictive`."""
        return self._gather(draws_w, positions, [part.__call__ for part in self.parts])

    @property
    def is_chosen_by_means(self) -> bool:
        """As of `Predictive`, of any of the laws."""
        return any(part.is_chosen_by_means for part in self.parts)

    def to_choose(self, draws_w: np.ndarray, positions: np.ndarray | None = None) -> np.ndarray:
        """As `Predictive.to_choose`, each law as its misses are."""
        return self._gather(draws_w, positions, [part.to_choose for part in self.parts])

    def means(self, draws_w: np.ndarray, positions: np.ndarray | None = None) -> np.ndarray:
        """As `Predictive.means`."""
        return self._gather(draws_w, positions, [part.means for part in self.parts])

    def _gather(self, draws_w: np.ndarray, positions: np.ndarray | None, methods: list[Any]) -> np.ndarray:
        law_w = self.law_W[draws_w]
        blocks = [methods[k](self.draw_W[draws_w[law_w == k]], positions) for k in np.unique(law_w)]
        grouped_w = np.argsort(law_w, kind="stable")  # where each row of the blocks, which go by law, belongs
        return np.concatenate(blocks)[np.argsort(grouped_w)]
