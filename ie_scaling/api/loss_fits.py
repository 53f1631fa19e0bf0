"""A loss law fitted from Python: a point of least squares, or draws of a posterior or a bootstrap."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ie_scaling.api import fields
from ie_scaling.api.display import INTERVAL, Shown, ShownSummary
from ie_scaling.api.recorded_fit import RecordedFit
from ie_scaling.api.shapes import NamedShapes, ShapeLike, tokens_of
from ie_scaling.errors import InputError
from ie_scaling.inference.draws import Origin
from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.laws.law import Law
from ie_scaling.laws.least_squares.solver import LeastSquaresFit
from ie_scaling.laws.observations import Features, features_of
from ie_scaling.search.config import ComparisonConfig

COUNTED = {
    "total": "N counts all parameters",
    "non_embedding": "N counts all but embedding parameters",
    "effective": "N = N_non + omega·N_emb",
}


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class PointFit(Shown):
    """A law fitted by least squares.

    Attributes:
      fitted: the fit at full precision, with its rows unless it was loaded.
      source: the table it was fitted to, or the directory it was loaded from.
      warnings: what is suspicious in the rows, and why the fit is not to be trusted where it did not converge.
    """

    fitted: LeastSquaresFit | RecordedFit
    source: str
    warnings: tuple[str, ...]

    @property
    def params(self) -> dict[str, float]:
        """Every parameter by name as the literature prints it (A, B, epsilon …)."""
        return self.fitted.derived

    @property
    def status(self) -> str:
        """`converged`, `at_bound`, `not_identified` or `max_steps`."""
        return self.fitted.status

    @property
    def n_rows(self) -> int:
        """Rows that were fitted."""
        return self.fitted.n_rows

    def predict(self, shapes: ShapeLike | Iterable[ShapeLike], n_tokens: float | Sequence[float]) -> xr.DataArray:
        """Losses of shapes trained on `n_tokens` tokens (one number, or one each), in nats per token, by shape.

        Example: `point.predict(["pythia-160m", "pythia-410m"], n_tokens=30e9).sel(shape="pythia-160m")`

        Raises:
          InputError: what is no shape, no number of tokens, or a feature that the law needs and shapes lack.
        """
        named = NamedShapes.of(shapes)
        features = _features(self.fitted.law, named, n_tokens)
        return _losses(np.exp(self.fitted.predict(features)), ("shape",), named, features)

    def describe(self) -> ShownSummary:
        """Parameters, status and warnings."""
        fitted = self.fitted
        fit = f"status {fitted.status}, objective {fitted.objective:.6g}, gradient {fitted.grad_norm:.1g}"
        n_models = fitted.problem.n_models if isinstance(fitted, LeastSquaresFit) else None
        lines = (*_about(fitted.law), _about_rows(self.n_rows, n_models, self.source), fit)
        table = pd.DataFrame({"least squares": self.params})
        return ShownSummary(f"Least squares of law {fitted.law.name}", lines, table, self.warnings)


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class PosteriorFit(Shown):
    """A law as draws of its parameters: a posterior, or a bootstrap over models.

    Attributes:
      posterior: the draws themselves.
      source: the table it was fitted to, or the directory it was loaded from.
      point, bootstrap: least squares and its bootstrap, where they were fitted beside the draws.
      remarks: what was assumed when the table was read.
    """

    posterior: Posterior
    source: str
    point: PointFit | None = None
    bootstrap: "PosteriorFit | None" = None
    remarks: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why the draws are not to be trusted: a failed convergence gate or certificate, suspicious rows."""
        return self.posterior.all_failures

    @property
    def n_draws(self) -> int:
        """Draws of all chains together."""
        return self.posterior.n_draws

    @property
    def parameters(self) -> pd.DataFrame:
        """Mean, sd, 5 % point, median and 95 % point (columns mean, sd, lo90, median, hi90) of every parameter."""
        return pd.DataFrame(self.posterior.summary()).T

    @property
    def draws(self) -> xr.Dataset:
        """Draws of every parameter, (chain, draw), coefficients as the literature prints them."""
        every = self.posterior.draws | self.posterior.derived
        return xr.Dataset({name: (("chain", "draw"), values) for name, values in every.items()})

    def losses(
        self,
        shapes: ShapeLike | Iterable[ShapeLike],
        n_tokens: float | Sequence[float],
        level: str = "shape",
        seed: int = 0,
    ) -> xr.DataArray:
        """Paired draws of the losses of shapes trained on `n_tokens` tokens, nats per token, (draw, shape).

        The same draws as `rank` and `select` use: a draw is one state of the world, in which shapes can be compared.

        Args:
          shapes: architectures, their names, public models or paths of a config.json; one or several.
          n_tokens: one number for all, or one each.
          level: `law` is the curve alone, `shape` adds what the law misses about that shape, `new_run` one more run.
          seed: of what is drawn for shapes that were not fitted, and of the runs' noise.

        Example: `posterior.losses(["pythia-160m", "d768-n12-h12-k12-c64-f2048-v50432"], 30e9).quantile(0.9, "draw")`

        Raises:
          InputError: what is no shape, number of tokens or level; or a feature that the law needs and shapes lack.
        """
        named, posterior = NamedShapes.of(shapes), self.posterior
        config = fields.build(ComparisonConfig, "losses", {"level": level, "seed": seed})
        features = _features(posterior.law, named, n_tokens)
        identities = posterior.identify(named.architectures)
        options: dict[str, Any] = {"level": config.level, "seed": config.seed, "model_ids": identities}
        loss_WA = posterior.losses(features, **options).all().astype(np.float64)
        return _losses(loss_WA, ("draw", "shape"), named, features).assign_attrs(
            level=level, warnings=list(self.warnings)
        )

    def save(self, path: str | Path) -> None:
        """Write the netCDF file that ArviZ and `ies.load` read: draws, rows, `warnings`; not `point`, `bootstrap`."""
        self.posterior.save(Path(path))

    def describe(self) -> ShownSummary:
        """Parameters with 90 % intervals, the convergence gate and warnings."""
        posterior, table = self.posterior, self.parameters
        table = table[list(INTERVAL)].rename(columns=INTERVAL)
        if self.point is not None:
            table.insert(0, "least squares", pd.Series(self.point.params))
        n_chains, n_draws = posterior.shape
        is_bayes = posterior.method == Origin.BAYES
        kind, gate = ("Posterior", "convergence gate") if is_bayes else ("Bootstrap", "least squares")
        lines = (
            *_about(posterior.law),
            _about_rows(self._n_rows, len(posterior.model_ids), self.source),
            f"{n_chains} × {n_draws:,} draws; {gate} {'FAILED' if posterior.failures else 'passed'}",
        )
        return ShownSummary(f"{kind} of law {posterior.law.name}", lines, table, self.warnings)

    @property
    def _n_rows(self) -> int | None:
        rows = self.posterior.fitted_rows
        return None if rows is None else len(rows)


def _features(law: Law, named: NamedShapes, n_tokens: float | Sequence[float]) -> Features:
    """What the law reads of the shapes.

    Raises:
      InputError: no shapes, no numbers of tokens, or a feature that shapes do not have.
    """
    if not named.architectures:
        raise InputError("shapes: none; name at least one")
    features = features_of(named.architectures, tokens_of(n_tokens, len(named.architectures)).tolist())
    for need in law.needs:
        if np.isnan(getattr(features, need)).any():
            raise InputError(f"law {law.name!r}: needs {need}, which a shape that was not trained does not have")
    return features


def _losses(values: np.ndarray, dims: tuple[str, ...], named: NamedShapes, features: Features) -> xr.DataArray:
    coordinates = {"shape": list(named.names), "n_tokens": ("shape", np.array(features.n_tokens))}
    attributes = {"units": "nats per token", "notes": list(named.notes)}
    return xr.DataArray(values, dims=dims, coords=coordinates, attrs=attributes, name="loss")


def _about(law: Law) -> tuple[str, ...]:
    core = "; C(N, D) = E + A·N^−α + B·D^−β" if "C(N, D)" in law.formula else ""
    return (f"L = {law.formula}{core}", f"{COUNTED[law.count]}; tie {law.tie}")


def _about_rows(n_rows: int | None, n_models: int | None, source: str) -> str:
    counted = {"rows": n_rows, "models": n_models}
    known = [f"{count:,} {words}" for words, count in counted.items() if count is not None]
    return f"{' of '.join(known)}, from {source}"
