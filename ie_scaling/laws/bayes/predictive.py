"""Losses of many candidates under one posterior: paired draws and their conditional means, in blocks."""

import dataclasses
import functools
import reprlib
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from ie_scaling.errors import InputError
from ie_scaling.inference import numerics
from ie_scaling.laws.bayes import noise
from ie_scaling.laws.law import Law
from ie_scaling.laws.level import Level
from ie_scaling.laws.observations import Features, Reference

Identity = str | tuple[str, ...]  # of a candidate: the fitted models of its shape, or the name of a new one


@dataclasses.dataclass(frozen=True, kw_only=True)
class Predictive:
    """Losses of A candidates in nats per token, for draws of these numbers [w] and candidates at these indices.

    A draw of a candidate is the same in whatever block it is computed. Candidates that the law cannot tell apart have
    the same law loss to the last bit.

    Attributes:
      flat: the posterior's draws by name, [W].
      own_Wa: u of the candidates that were fitted, at the indices `own_a`.
      identities: candidates of equal ones share one fresh effect; numbers where nothing is known of them.
      must_be_finite: whether a draw that predicts no finite loss is refused.
    """

    law: Law
    reference: Reference
    features: Features
    flat: dict[str, np.ndarray]
    level: str
    seed: int
    own_a: np.ndarray
    own_Wa: np.ndarray
    identities: Sequence[Identity | int]
    must_be_finite: bool = True

    def __call__(self, draws_w: np.ndarray, candidates: np.ndarray | None = None) -> np.ndarray:
        """Paired draws, [w, A].

        Raises:
          InputError: a draw predicts no finite loss.
        """
        loss_wA = self._law_losses(draws_w, candidates)
        if self.level != Level.LAW:
            for row, draw in enumerate(draws_w):
                noise_A = self._noise(int(draw))
                loss_wA[row] *= np.exp(noise_A if candidates is None else noise_A[candidates])
        self._require_finite(loss_wA, draws_w, candidates)
        return loss_wA

    def all(self) -> np.ndarray:
        """Paired draws of all candidates, [W, A]."""
        return self(np.arange(len(self.flat["tau"])))

    def means(self, draws_w: np.ndarray, candidates: np.ndarray | None = None) -> np.ndarray:
        """Mean losses given each draw's parameters, [w, A]: fresh effects and runs' noise are averaged over exactly."""
        chosen = np.arange(len(self.features)) if candidates is None else candidates
        mean_wA = self._law_losses(draws_w, candidates).astype(np.float64)
        if self.level == Level.LAW:
            return mean_wA
        log_factor_wA = np.broadcast_to(0.5 * self.flat["tau"][draws_w, None] ** 2, mean_wA.shape).copy()
        column = {int(candidate): i for i, candidate in enumerate(self.own_a)}
        for index, candidate in enumerate(chosen):
            if int(candidate) in column:
                log_factor_wA[:, index] = self.own_Wa[draws_w, column[int(candidate)]]
        mean_wA *= np.exp(log_factor_wA)
        if self.level == Level.NEW_RUN:
            drawn = {name: values[draws_w, None] for name, values in self.flat.items()}
            rows = jax.tree.map(lambda values: values[None, chosen], self.features)
            scale_wA = np.broadcast_to(noise.scale(self.law, drawn, rows, self.reference, drawn), mean_wA.shape)
            mean_wA *= noise.mean_factor(scale_wA, self.flat["nu"][draws_w])
        return mean_wA

    def _noise(self, draw: int) -> np.ndarray:
        """What shape and run add to ln loss in one draw, [A]."""
        rng = np.random.Generator(np.random.SFC64([self.seed, draw]))
        n_shapes, number_A = self._shapes
        noise_A = self.flat["tau"][draw] * rng.standard_normal(n_shapes, dtype=np.float32)
        if n_shapes < len(number_A):
            noise_A = noise_A[number_A]
        noise_A[self.own_a] = self.own_Wa[draw]
        if self.level == Level.NEW_RUN:
            drawn = {name: values[draw] for name, values in self.flat.items()}
            scale_A = noise.scale(self.law, drawn, self.features, self.reference, drawn)
            t_A = np.clip(rng.standard_t(drawn["nu"], len(self.features)), -noise.MAX_T, noise.MAX_T)
            noise_A = noise_A + scale_A * t_A
        return noise_A

    def _law_losses(self, draws_w: np.ndarray, candidates: np.ndarray | None) -> np.ndarray:
        distinct, number_A = self._distinct
        if candidates is not None:
            shown, number_A = np.unique(number_A[candidates], return_inverse=True)
            distinct = distinct.take(shown)
        with numerics.double_precision():
            law_draws = {name: self.flat[name][draws_w] for name in self.law.names}
            loss_wU = np.array(_predict_losses(self.law, law_draws, distinct, self.reference))
        return loss_wU if np.array_equal(number_A, np.arange(len(distinct))) else loss_wU[:, number_A]

    @functools.cached_property
    def _shapes(self) -> tuple[int, np.ndarray]:
        """How many different identities there are, and which of them each candidate has, [A]."""
        number = {identity: i for i, identity in enumerate(dict.fromkeys(self.identities))}
        return len(number), np.array([number[identity] for identity in self.identities])

    @functools.cached_property
    def _distinct(self) -> tuple[Features, np.ndarray]:
        """The candidates that differ in what the law reads, and which of them each candidate is."""
        number_A = np.zeros(len(self.features), int)
        for name in self.law.needs:
            _, value_A = np.unique(getattr(self.features, name), return_inverse=True)
            _, first_U, number_A = np.unique(
                number_A * (value_A.max() + 1) + value_A, return_index=True, return_inverse=True
            )
        if len(first_U) == len(number_A):
            return self.features, np.arange(len(number_A))
        return self.features.take(first_U), number_A

    def _require_finite(self, loss_wA: np.ndarray, draws_w: np.ndarray, candidates: np.ndarray | None) -> None:
        if not self.must_be_finite or np.isfinite(loss_wA.sum()):
            return
        row, column = np.argwhere(~np.isfinite(loss_wA))[0]
        candidate = self.identities[int(column if candidates is None else candidates[column])]
        raise InputError(
            f"law {self.law.name}: draw {draws_w[row]} of the posterior predicts a loss of {loss_wA[row, column]} for "
            f"{reprlib.repr(candidate)}; every draw must predict a finite one: fit again, or drop the candidate"
        )


@functools.partial(jax.jit, static_argnums=0)
def _predict_losses(law: Law, draws_w: dict[str, jax.Array], features: Features, reference: Reference) -> jax.Array:
    """Losses in nats per token [w, A]; compiled in full, for it runs hundreds of millions of times."""
    return jnp.exp(jax.vmap(lambda draws: law.log_loss(draws, features, reference))(draws_w))
