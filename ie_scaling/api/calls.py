"""The calls from Python but `rows.read_runs`: fit a law, rank shapes, select one, predict latencies, load a fit.

Each runs what the command of its name runs, with the same fields, defaults and rules, and gives the same numbers.
Nothing is printed but progress, on stderr (none with progress=False); failed diagnostics of a result are in its
`warnings` (of a DataFrame, in `.attrs["warnings"]`). Bad input raises InputError, one line.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ie_scaling.api import fields, fits, given
from ie_scaling.api.answers import Decision, LatencyFit
from ie_scaling.api.loss_fits import PointFit, PosteriorFit
from ie_scaling.api.rows import Table, earlier, open_rows
from ie_scaling.api.shapes import NamedShapes, ShapeLike
from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.latency_law import predict
from ie_scaling.latency_law.config import RequestConfig
from ie_scaling.latency_law.posterior import LatencyPosterior
from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.running import diagnostic
from ie_scaling.running.config import seeded
from ie_scaling.running.progress import Progress, shown
from ie_scaling.search import ranked, selection
from ie_scaling.search.belief import Belief
from ie_scaling.search.candidates import candidates_of
from ie_scaling.search.config import GridConfig, RankingConfig, SelectionConfig
from ie_scaling.search.space import Space

Fit = PosteriorFit | Posterior | str | Path


def fit(
    rows: Table,
    law: str = "effective",
    *,
    method: str = "bayes",
    tie: str = "",
    count: str = "",
    where: str = "",
    columns: str | Mapping[str, Any] = "",
    objective: str = "huber_log",
    huber_delta: float = 1e-3,
    n_starts: int = 64,
    n_bootstrap: int = 0,
    resample: str = "model",
    misses: str = "independent",
    skip_forward_coverage: bool = False,
    nuts: Mapping[str, Any] | None = None,
    allow_unfinished: bool = False,
    seed: int = 0,
    progress: bool = True,
) -> PointFit | PosteriorFit:
    """One law fitted to a run table, as `configs/fit.py` does it (its help says more of the fields).

    Args:
      rows: a DataFrame, such as of `read_runs`, or the path of a run table.
      law: `effective`, `chinchilla`, `aspect_ratio` … (docs/choosing_a_law.md); `tie` and `count` "" for its own.
      method: `least_squares` gives a PointFit (with `n_bootstrap` a PosteriorFit of so many refits), `bayes` a
        PosteriorFit of NUTS draws, `both` one that has the PointFit as its `point`.
      where: a row filter.
      misses: what a posterior lets the law miss of a model: `independent`, or `smooth` (docs/bayes.md).
      skip_forward_coverage: whether the draws' certificate does without a second, shorter fit to the smaller models.
      nuts: fields of NutsConfig, such as {"n_chains": 4, "n_warmup": 1000, "n_samples": 1000}.
      progress: whether progress is shown on stderr.

    Example: `posterior = ies.fit("data/bian2025.csv", law="effective", seed=1)`

    Raises:
      InputError: a bad field, or rows that are bad for this law.
      FloatingPointError: no start of least squares gave a finite objective.
    """
    values: dict[str, Any] = {"law": law, "tie": tie, "count": count, "where": where, "method": method}
    values |= {"columns": fields.column_map(columns), "objective": objective, "huber_delta": huber_delta}
    values |= {"n_starts": n_starts, "n_bootstrap": n_bootstrap, "resample": resample, "misses": misses, "seed": seed}
    values["skip_forward_coverage"] = fields.flag("skip_forward_coverage", skip_forward_coverage)
    settings = fields.build(fits.Settings, "fit", values | {"nuts": fields.group("nuts", nuts)})
    runs = open_rows(rows, settings.columns, fields.flag("allow_unfinished", allow_unfinished))
    with shown(fields.flag("progress", progress)):
        source, warned = earlier(rows, "source", runs.name), earlier(rows, "warnings", ())
        return fits.fit(settings, runs, source, warned)


def rank(
    posterior: Fit | Sequence[Fit],
    shapes: ShapeLike | Iterable[ShapeLike] = (),
    n_tokens: float = 3e10,
    *,
    grid: Mapping[str, Any] | None = None,
    level: str = "shape",
    top_k: int = 6,
    n_listed: int = 1000,
    n_compared: int = 50,
    seed: int = 0,
    progress: bool = True,
) -> pd.DataFrame:
    """Shapes by expected regret at `n_tokens` tokens, the chosen one first: the columns of ranking.csv, by name.

    Losses and regrets are in nats per token. `.attrs` has `answer`, a sentence; `warnings`; `notes`, how public models
    differ from the shapes of their names; and of several laws `by_law`, how the answer depends on the law.

    Args:
      posterior: of `fit` or `load`, or a fit directory; several, of the same rows, are stacked.
      shapes: architectures, their names, public models or paths of a config.json.
      grid: fields of GridConfig, such as {"n_params": 1e9}: all shapes of that size too.
      level: `law`, `shape` or `new_run` (see `PosteriorFit.losses`).

    Example: `ies.rank(posterior, ["pythia-160m", "d768-n12-h12-k12-c64-f2048-v50432"], n_tokens=30e9)`

    Raises:
      InputError: no candidates, a bad field, or a feature that the law needs and shapes lack.
    """
    belief, named = Belief.of(given.posteriors(posterior)), NamedShapes.of(shapes)
    values = {"n_tokens": n_tokens, "level": level, "top_k": top_k, "seed": seed}
    config = fields.build(RankingConfig, "rank", values | {"n_listed": n_listed, "n_compared": n_compared})
    chosen = fields.build(GridConfig, "rank.grid", fields.group("grid", grid))
    space = Space.of([shape.name for shape in named.architectures], chosen)
    belief.require(space, config.n_tokens)
    with shown(fields.flag("progress", progress)), Progress("rank", belief.n_draws, "draws") as bar:
        ranking = ranked.rank(config, belief, space, bar.advance)
    table = given.by_name(ranking.table, named)
    table.attrs = {"answer": ranked.describe(ranking.answer, ranking.table), "notes": list(named.notes)}
    if ranking.laws is not None:
        table.attrs["by_law"] = ranking.laws.to_dict("records")
    table.attrs["warnings"] = diagnostic.lines(ranking.diagnostics)
    return table


def select(
    posterior: Fit,
    latency: Table | LatencyFit | LatencyPosterior,
    candidates: ShapeLike | Iterable[ShapeLike] = (),
    *,
    n_tokens: float,
    where: str = "",
    grid: Mapping[str, Any] | None = None,
    request: Mapping[str, Any] | None = None,
    max_params: float | None = None,
    latency_metric: str = "e2e_s",
    max_latency_s: float | None = None,
    max_latency_ratio: float | None = None,
    min_p_feasible: float = 0.9,
    level: str = "shape",
    top_k: int = 3,
    seed: int = 0,
) -> Decision:
    """The shape of least expected regret at `n_tokens` tokens among those that are fast enough.

    Args:
      posterior: of `fit` or `load`, or a fit directory.
      latency: a latency table (a DataFrame or its path), of which `where` chooses rows and `candidates` shapes (all by
        default); or a latency law (of `load`, or its directory), for the `candidates` and those of `grid`.
      grid, request: fields of GridConfig and RequestConfig; they need a latency law.
      max_latency_s, max_latency_ratio: the bound on `latency_metric` (`e2e_s`, `ttft_s`, `tpot_s`), in seconds or in
        medians of the fastest candidate; at most one of them.
      min_p_feasible: with what probability the bound must be met.

    Example: `ies.select(posterior, "latency.csv", n_tokens=30e9, where="batch == 1", max_latency_ratio=1.5)`

    Raises:
      InputError: no candidates, one without a latency, a bound that none meets, or a bad field.
    """
    own, named = given.posterior(posterior), NamedShapes.of(candidates, "candidates")
    source, rows = given.read_latency(latency)
    values: dict[str, Any] = {"candidates": [shape.name for shape in named.architectures], "n_tokens": n_tokens}
    values |= {"where": where, "grid": fields.group("grid", grid), "request": fields.group("request", request)}
    values |= {"max_params": max_params, "min_p_feasible": min_p_feasible, "level": level, "top_k": top_k}
    values |= {"latency_metric": latency_metric, "max_latency_s": max_latency_s, "seed": seed}
    config = fields.build(SelectionConfig, "select", values | {"max_latency_ratio": max_latency_ratio})
    chosen = selection.select(config, own, candidates_of(config, own.n_draws, rows, source))
    name = chosen.answer["recommended"]
    return Decision(
        recommended=named.name_of(name),
        architecture=Architecture.parse(name),
        table=given.by_name(chosen.table, named),
        facts={**chosen.answer, "notes": list(named.notes)},
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class LatencyQuestion(RequestConfig):
    """A request, and the seed of what is drawn for it."""

    seed: int = 0

    def __post_init__(self) -> None:
        seeded(self)
        super().__post_init__()


def predict_latency(
    latency: LatencyFit | LatencyPosterior | str | Path,
    shapes: ShapeLike | Iterable[ShapeLike],
    *,
    workload: str = "short",
    batch: int = 1,
    prompt_tokens: int | None = None,
    new_tokens: int | None = None,
    device_kind: str = "",
    dtype: str = "",
    mode: str = "",
    seed: int = 0,
) -> pd.DataFrame:
    """Times of shapes under one workload, timed or not: the columns of predicted_latency.csv, a row a shape by name.

    Medians of TTFT, TPOT, E2E (seconds) and tokens/s with 90 % intervals of what another benchmark would find;
    `.attrs` has `warnings` (a failed gate, shapes far from what was timed) and `notes`.

    Args:
      latency: a latency law of `load`, or the directory of `configs/fit_latency.py`.
      shapes: architectures, their names, public models or paths of a config.json.
      workload: names the lengths; `prompt_tokens` and `new_tokens` override them.
      device_kind, dtype, mode: "" for the only one that was fitted.

    Example: `ies.predict_latency("runs/fit_latency", ["pythia-160m"], batch=8)[["e2e_s", "e2e_s_hi90"]]`

    Raises:
      InputError: no shapes, or a device, dtype or mode that was not fitted.
    """
    source, law = given.read_latency(latency)
    if not isinstance(law, LatencyPosterior):
        raise InputError(f"latency={source!r}: must be a latency law, of load or a directory of configs/fit_latency.py")
    named = NamedShapes.of(shapes)
    if not named.architectures:
        raise InputError("shapes: none; name at least one")
    values: dict[str, Any] = {"workload": workload, "batch": batch, "device_kind": device_kind, "dtype": dtype}
    values |= {"prompt_tokens": prompt_tokens, "new_tokens": new_tokens, "mode": mode, "seed": seed}
    config = fields.build(LatencyQuestion, "predict_latency", values)
    kind, cases = predict.resolve(config, named.architectures, law)
    table = predict.tabulate(law, kind, cases, config.seed).set_axis(pd.Index(named.names, name="shape"))
    table.attrs = {"warnings": diagnostic.lines(predict.diagnose(law, cases, kind)), "notes": list(named.notes)}
    return table


def load(directory: str | Path, allow_unfinished: bool = False) -> PointFit | PosteriorFit | LatencyFit:
    """The fit in a finished directory: posterior, bootstrap or least squares of `configs/fit.py`, or a latency law.

    Of a directory with draws the posterior, else the bootstrap. A file that `PosteriorFit.save` wrote is loaded too.

    Example: `posterior = ies.load("runs/quickstart/fit/effective")`

    Raises:
      InputError: no such directory, one without DONE (unless `allow_unfinished`), or without a fit.
    """
    return given.load(directory, fields.flag("allow_unfinished", allow_unfinished))
