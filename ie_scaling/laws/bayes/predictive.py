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
from ie_scaling.laws.bayes.discrepancy import Discrepancy, log_tokens
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
      own_Wa: u, and v·t, of the candidates that were fitted, at the indices `own_a`.
      identities: candidates of equal ones share one fresh effect; numbers where nothing is known of them.
      discrepancy: what is missed beyond u; None where misses are independent.
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
    discrepancy: Discrepancy | None = None
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
        log_factor_wA = np.broadcast_to(0.5 * self._fresh_variance(draws_w, chosen), mean_wA.shape).copy()
        column = {int(candidate): i for i, candidate in enumerate(self.own_a)}
        for index, candidate in enumerate(chosen):
            if int(candidate) in column:
                log_factor_wA[:, index] = self.own_Wa[draws_w, column[int(candidate)]]
        if self.discrepancy is not None:
            distinct, number_A = self._waves
            log_factor_wA += (self.discrepancy.weight_WK[draws_w] @ distinct.T)[:, number_A[chosen]]
        mean_wA *= np.exp(log_factor_wA)
        if self.level == Level.NEW_RUN:
            drawn = {name: values[draws_w, None] for name, values in self.flat.items()}
            rows = jax.tree.map(lambda values: values[None, chosen], self.features)
            scale_wA = np.broadcast_to(noise.scale(self.law, drawn, rows, self.reference, drawn), mean_wA.shape)
            mean_wA *= noise.mean_factor(scale_wA, self.flat["nu"][draws_w])
        return mean_wA

    @property
    def is_chosen_by_means(self) -> bool:
        """Whether `to_choose` averages over what is each shape's own."""
        return self.discrepancy is not None and self.level == Level.SHAPE

    def to_choose(self, draws_w: np.ndarray, candidates: np.ndarray | None = None) -> np.ndarray:
        """Paired draws of the losses that a choice is made by, [w, A].

        Where misses are smooth, what is a shape's own and nobody can know before it is trained is averaged over at
        level `shape`: else the best of many near-copies would be whichever drew the luckiest. At `new_run` luck is
        meant; where misses are independent they are all that is known of shapes alike, and stay in.
        """
        if not self.is_chosen_by_means:
            return self(draws_w, candidates)
        mean_wA = self.means(draws_w, candidates).astype(self.flat["tau"].dtype)
        self._require_finite(mean_wA, draws_w, candidates)
        return mean_wA

    def _fresh_variance(self, draws_w: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Variance of what is each shape's own and in no draw, [w, A] or [w, 1]."""
        variance_w1 = self.flat["tau"][draws_w, None] ** 2
        if self.discrepancy is None:
            return variance_w1
        slope_w1, smooth_w1 = (self.flat[name][draws_w, None] ** 2 for name in noise.SMOOTH_NAMES[::-1])
        return variance_w1 + slope_w1 * self._log_tokens_A[chosen] ** 2 + smooth_w1 * self._is_unknown_A[chosen]

    def _smooth_noise(self, draw: int, rng: np.random.Generator) -> np.ndarray:
        """What the law misses of the shapes in one draw, [A]: s, and what is each one's own."""
        assert self.discrepancy is not None
        n_shapes, number_A = self._shapes
        tau, tau_smooth, tau_tokens = (self.flat[name][draw] for name in ("tau", *noise.SMOOTH_NAMES))
        noise_A = (tau * rng.standard_normal(n_shapes, dtype=np.float32))[number_A]
        if self._log_tokens_A.any():
            noise_A += tau_tokens * rng.standard_normal(n_shapes, dtype=np.float32)[number_A] * self._log_tokens_A
        if self._is_unknown_A.any():
            noise_A += tau_smooth * rng.standard_normal(n_shapes, dtype=np.float32)[number_A] * self._is_unknown_A
        noise_A[self.own_a] = self.own_Wa[draw]
        distinct, distinct_A = self._waves
        return noise_A + (distinct @ self.discrepancy.weight_WK[draw])[distinct_A]

    def _noise(self, draw: int) -> np.ndarray:
        """What shape and run add to ln loss in one draw, [A]."""
        rng = np.random.Generator(np.random.SFC64([self.seed, draw]))
        if self.discrepancy is not None:
            noise_A = self._smooth_noise(draw, rng)
        else:
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
    def _waves(self) -> tuple[np.ndarray, np.ndarray]:
        """φ of each pair of width and depth among the candidates, [U, K], and which of them each candidate has, [A]."""
        assert self.discrepancy is not None
        sizes_A2 = np.stack([self.features.d_model, self.features.n_layers], axis=1)
        _, first_U, number_A = np.unique(sizes_A2, axis=0, return_index=True, return_inverse=True)
        return self.discrepancy.sines(self.features.take(first_U)), number_A.reshape(-1)

    @functools.cached_property
    def _log_tokens_A(self) -> np.ndarray:
        return log_tokens(self.features, self.reference.D0)

    @functools.cached_property
    def _is_unknown_A(self) -> np.ndarray:
        """For want of width or depth, which candidates have an s that no draw knows."""
        assert self.discrepancy is not None
        return self.discrepancy.sines.unknown(self.features)

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
