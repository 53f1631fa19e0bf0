"""Posterior: draws of one law's parameters and noise, their predictions, and their file.

  load(path)                          the Posterior in a netCDF file: posterior.nc, or bootstrap.nc of the same layout
  load_fit(directory)                 whichever of the two a fit directory's configuration requested
  losses(candidates, n_tokens, level, seed)       paired draws of losses in nats per token, in blocks; all() for [W, A]
  token_equivalent(features, log_loss_WA)         tokens that would buy each regret back, as a factor of D, [W, A]
  summary()                           {name: {mean, sd, lo90, median, hi90}}, raw A, B … included
  identify(architectures)             which fitted models each candidate is, by the fields of its shape
  failures                            why the convergence gate failed; empty where it passed

Features of candidates come from `observations.features_of(architectures, n_tokens)`.

Levels: `law` is f alone, `shape` f·e^u for that shape, `new_run` one more training run, f·e^(u + e). A
shape that was among the fitted models keeps its own u where `model_ids` names it; another gets a fresh one. Which
fitted models a candidate is, `identify` says: by its name, or where the fields of its shape agree (fitted_shapes).
"""

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.inference import numerics
from ie_scaling.inference.draws import Draws, DrawSummary, summarize
from ie_scaling.laws.bayes import fit_directory, fit_failures, noise, posterior_file, tokens
from ie_scaling.laws.bayes.discrepancy import NO_SINES, Discrepancy, Sines, log_tokens
from ie_scaling.laws.bayes.fitted_rows import FittedRows
from ie_scaling.laws.bayes.fitted_shapes import FittedShapes
from ie_scaling.laws.bayes.predictive import Identity, Predictive
from ie_scaling.laws.choices import Misses
from ie_scaling.laws.law import Law
from ie_scaling.laws.level import Level
from ie_scaling.laws.observations import Features, Reference, features_of

MANY = 4096


@dataclasses.dataclass(frozen=True, kw_only=True)
class Posterior(Draws):
    """Draws of a law, from NUTS or from the bootstrap: its free parameters and the noise (noise.NAMES), each [C, S].

    Attributes:
      effects_CSM: u of each fitted model, in ln(nats); `model_ids` names them.
      slopes_CSM: where misses are smooth, v of each fitted model, in ln(nats) per ln(token).
      sines, sines_CSK: where they are, the sines of s over the fitted sizes, and their weights in units of τ_s.
      fitted_rows: what it was fitted to; None of a file without it.
      log_likelihood_CSR: ln density of each fitted row, its model's effect given.
      replicated_CSR: ln losses of the same models trained again, drawn from the posterior predictive.
      prior: draws of the law's parameters, raw ones included, and of the noise from their priors, each [1, ·].
      log_prior: ln density of each free coordinate under its prior, by name, each [C, S].
      quantities: what the law implies (quantities.py), by name, each [C, S].
      fit_failures: what else has failed of the fit (certificate, mixed losses), as `load_fit` or `ies.fit` says.
    """

    law: Law
    reference: Reference
    effects_CSM: np.ndarray
    model_ids: tuple[str, ...]
    slopes_CSM: np.ndarray | None = None
    sines: Sines = NO_SINES
    sines_CSK: np.ndarray | None = None
    fitted_rows: FittedRows | None = None
    log_likelihood_CSR: np.ndarray | None = None
    replicated_CSR: np.ndarray | None = None
    prior: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    log_prior: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    quantities: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    fit_failures: tuple[str, ...] = ()

    @property
    def all_failures(self) -> tuple[str, ...]:
        """Everything that an answer that uses these draws must repeat."""
        return (*self.failures, *self.fit_failures)

    @property
    def derived(self) -> dict[str, np.ndarray]:
        """Every parameter as the literature prints it (A, B, epsilon …), each [C, S]."""
        law_draws = {name: self.draws[name] for name in self.law.names}
        return {name: np.asarray(value) for name, value in self.law.derived(law_draws, self.reference).items()}

    def losses(
        self,
        candidates: Sequence[Architecture] | Features,
        n_tokens: float | Sequence[float] | None = None,
        *,
        level: str,
        seed: int = 0,
        model_ids: Sequence[Identity] | None = None,
    ) -> Predictive:
        """Paired draws of the losses of A candidates in nats per token, in blocks: the one way to predictions.

        What is returned takes indices of draws [w] and of candidates (all by default), and gives losses
        [w, A]: a row is one joint draw of all. A draw is the same in whatever block it is computed. Beyond MANY
        candidates losses are in float32, within 4e-7 of themselves. A new run's noise is capped at noise.MAX_T scales.

        Args:
          candidates: architectures, or whatever has features with tokens in them.
          n_tokens: of architectures, one number or one each.
          level: `law`, `shape` or `new_run`.
          seed: of the fresh effects and of the run noise.
          model_ids: the model of each candidate, or the models of its shape; what `identify` says of architectures, and
            of features that each is a shape of its own, by default. A fitted model keeps its own effect, several give
            their mean, equal names share a fresh one.

        Raises:
          InputError: an unknown level, no candidates, or a feature the law needs that is blank.
        """
        if level not in [*Level]:
            raise InputError(f"level={level!r}: must be one of {', '.join(Level)}")
        if isinstance(candidates, Features):
            features, identities = candidates, model_ids
        elif n_tokens is None:
            raise InputError("losses: n_tokens must be given with architectures")
        else:
            features = features_of(candidates, n_tokens)
            identities = self.identify(candidates) if model_ids is None else model_ids
        self.require(features)
        dtype = np.float32 if len(features) > MANY else np.float64
        fitted = {column: models for column, models in enumerate(map(self._models, identities or ())) if models}
        own = [self._own(models, features.take(np.array([column]))) for column, models in fitted.items()]
        return Predictive(
            law=self.law,
            reference=self.reference,
            features=jax.tree.map(lambda values: np.asarray(values, dtype), features),
            flat={name: values.astype(dtype) for name, values in self.flat.items()},
            level=level,
            seed=seed,
            own_a=np.array(list(fitted), int),
            own_Wa=np.stack(own, axis=1) if own else np.empty((self.n_draws, 0)),
            discrepancy=self.discrepancy,
            identities=range(len(features)) if identities is None else identities,
        )

    @property
    def misses(self) -> Misses:
        """What the posterior lets its law miss."""
        return Misses.INDEPENDENT if self.slopes_CSM is None else Misses.SMOOTH

    @functools.cached_property
    def discrepancy(self) -> Discrepancy | None:
        """What is missed beyond u, chains joined; None where misses are independent."""
        if self.slopes_CSM is None:
            return None
        weight_WK = np.zeros((self.n_draws, 0))
        if self.sines_CSK is not None:
            weight_WK = self.flat["tau_smooth"][:, None] * self.sines_CSK.reshape(self.n_draws, -1)
        return Discrepancy(self.sines, weight_WK, self.slopes_CSM.reshape(self.n_draws, -1))

    def _own(self, models: Sequence[int], candidate: Features) -> np.ndarray:
        """u, and v·t, of a candidate that was fitted, the mean over its models, [W]."""
        own_W = self.effects_CSM.reshape(self.n_draws, -1)[:, models].mean(axis=1)
        if self.discrepancy is None:
            return own_W
        return own_W + self.discrepancy.slope_WM[:, models].mean(axis=1) * log_tokens(candidate, self.reference.D0)[0]

    def scale_of_runs(self, features: Features) -> np.ndarray:
        """σ of one more run of each architecture in each draw, [W, A], in ln(nats)."""
        flat = {name: values[:, None] for name, values in self.flat.items()}
        law_draws = {name: flat[name] for name in self.law.names}
        rows = jax.tree.map(lambda values: np.asarray(values)[None, :], features)
        return np.broadcast_to(
            noise.scale(self.law, law_draws, rows, self.reference, flat), (self.n_draws, len(features))
        )

    def require(self, features: Features) -> None:
        """Check that there are architectures, and that all that the law needs of them is known."""
        if not len(features):
            raise InputError("predict: needs at least one architecture")
        for need in self.law.needs:
            if np.isnan(getattr(features, need)).any():
                raise InputError(f"predict: {need} is unknown, law {self.law.name!r} needs it")

    def identify(self, architectures: Sequence[Architecture]) -> list[Identity]:
        """The identity of each candidate, which says whose effect it has: fitted models of its shape, or its own name.

        Several models of one shape (other seeds, other recipes) were fitted with an effect each; the candidate keeps
        their mean, draw by draw: what they have in common.
        """
        matches = self.fitted_shapes.match(architectures)
        return [
            tuple(self.model_ids[model] for model in models) if models else architecture.name
            for architecture, models in zip(architectures, matches, strict=True)
        ]

    @property
    def rows(self) -> FittedRows:
        """The rows that were fitted.

        Raises:
          InputError: a file without them.
        """
        if self.fitted_rows is None:
            raise InputError(f"law {self.law.name!r}: its file lacks the fitted rows, fit it again")
        return self.fitted_rows

    @property
    def fitted_shapes(self) -> FittedShapes:
        """The shapes of the fitted models."""
        return FittedShapes.unknown(self.model_ids) if self.fitted_rows is None else self.fitted_rows.shapes

    def _models(self, identity: Identity) -> list[int]:
        """Indices of the fitted models that this is; none for a new shape."""
        names = (identity,) if isinstance(identity, str) else identity
        return [self._number[name] for name in names if name in self._number]

    @functools.cached_property
    def _number(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.model_ids)}

    def token_equivalent(self, features: Features, log_loss_WA: np.ndarray) -> np.ndarray:
        """By what factor each architecture's tokens must grow to reach the best of each draw, [W, A].

        1 for the best itself, infinity where more tokens cannot buy it (beyond a factor of 10⁴). Under the law of
        that draw, with the shape's effect and the run's noise fixed.
        """
        gap_WA = log_loss_WA - log_loss_WA.min(axis=1, keepdims=True)
        with numerics.double_precision():
            law_draws = {name: self.flat[name] for name in self.law.names}
            return np.asarray(tokens.factor(self.law, law_draws, features, self.reference, gap_WA))

    def summary(self) -> dict[str, DrawSummary]:
        """Mean, sd, 5 %, 50 % and 95 % points of every parameter, raw and derived, and of the noise."""
        every = self.derived | {name: self.draws[name] for name in noise.names_in(self.draws)}
        return {name: summarize(values) for name, values in every.items()}

    def save(self, path: Path) -> None:
        """Write the netCDF file that `arviz.from_netcdf` and `load` read, whole or not at all."""
        posterior_file.write(path, self)


def load(path: str | Path, law: str = "") -> Posterior:
    """The posterior in a netCDF file that `Posterior.save` wrote, of this law ("" takes any).

    Raises:
      InputError: no such file, not such a file, another law's, or one whose draws cannot be that law's.
    """
    return Posterior(**posterior_file.read(Path(path), law))


FILES = (fit_directory.POSTERIOR, fit_directory.BOOTSTRAP, "diagnostics.json")  # what is read of a fit


def load_fit(directory: str | Path, law: str = "") -> Posterior:
    """The draws of a fit directory: of the posterior or the bootstrap, whichever its configuration requested.

    They carry what else the directory says has failed.

    Raises:
      InputError: they are not there, of another law or method than its configuration requested, or as `load`.
    """
    path = fit_directory.choose(Path(directory))
    posterior = load(path, law or fit_directory.requested_law(path.parent))
    return dataclasses.replace(posterior, fit_failures=fit_failures.read(Path(directory)))
