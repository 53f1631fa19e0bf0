"""A law posed on a table: the one object that least squares, posteriors and the evidence for a law hang on."""

import dataclasses
import functools
from typing import Any

import jax
import numpy as np

from ie_scaling.laws.choices import Misses
from ie_scaling.laws.law import Law
from ie_scaling.laws.observations import Features, Observations, Reference


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Grouping:
    """The rows of each model side by side: positions among the rows, and 1 for a row, 0 for padding; [M, J]."""

    row_MJ: np.ndarray
    weight_MJ: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Problem:
    """A law, the R rows of M models that it is fitted to, and the reference point where coefficients are stated.

    What the law misses is for a posterior of it to model; least squares does not.
    """

    law: Law
    rows: Observations
    reference: Reference
    misses: Misses = Misses.INDEPENDENT

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def features(self) -> Features:
        """What the law reads of each row."""
        return self.rows.features

    @property
    def log_loss_R(self) -> Any:
        """ln L of each row."""
        return self.rows.log_loss_R

    @property
    def n_models(self) -> int:
        """M."""
        return len(self.rows.model_ids)

    @functools.cached_property
    def grouping(self) -> Grouping:
        """The rows by model."""
        return group(self.rows.model_R, self.n_models)

    @functools.cached_property
    def prior(self) -> tuple[np.ndarray, np.ndarray]:
        """Centers and spreads [P] of the free coordinates' normal priors."""
        parameters = self.law.parameters
        return np.array([p.center(self.reference) for p in parameters]), np.array([p.spread for p in parameters])

    def log_loss(self, z_P: Any) -> Any:
        """ln L̂ of each row at free coordinates."""
        return self.law.log_loss(self.law.from_free(z_P), self.features, self.reference)

    def with_losses(self, log_loss_R: Any) -> "Problem":
        """The same law, shapes and reference point with other losses, as of a simulated table."""
        return dataclasses.replace(self, rows=dataclasses.replace(self.rows, log_loss_R=log_loss_R))


def pose(
    law: Law,
    rows: Observations,
    reference: Reference | None = None,
    misses: Misses = Misses.INDEPENDENT,
) -> Problem:
    """A law on the rows of a table; coefficients are stated at the rows' own reference point unless one is given.

    Raises:
      InputError: a feature that the law needs is blank.
    """
    rows.require(law.needs, law.name)
    reference = reference or rows.reference(law.reference_omega)
    return Problem(law=law, rows=rows, reference=reference, misses=Misses(misses))


def group(model_R: np.ndarray, n_models: int) -> Grouping:
    """Lay rows out by model; `model_R` is each row's model number."""
    counts_M = np.bincount(model_R, minlength=n_models)
    shape = n_models, int(counts_M.max())
    row_MJ, weight_MJ = np.zeros(shape, np.int32), np.zeros(shape)
    for model in range(n_models):
        row_MJ[model, : counts_M[model]] = np.flatnonzero(model_R == model)
        weight_MJ[model, : counts_M[model]] = 1.0
    return Grouping(row_MJ, weight_MJ)
