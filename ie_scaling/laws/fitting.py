"""One fit from a run table to a fit directory: least squares, posterior, predictions, diagnostics."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ie_scaling.errors import InputError
from ie_scaling.inference import scoring
from ie_scaling.laws import bayes, forms, reading
from ie_scaling.laws.bayes import assemble, quantities
from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.laws.bayes.posterior import summarise as summarise_draws
from ie_scaling.laws.config import FitConfig
from ie_scaling.laws.evidence import certificate, checklist
from ie_scaling.laws.law import Law
from ie_scaling.laws.least_squares import published, solver
from ie_scaling.laws.least_squares.solver import LeastSquaresFit
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import Problem, pose
from ie_scaling.running import config as config_lib
from ie_scaling.running import files, identity, workdir
from ie_scaling.running.progress import Progress, say
from ie_scaling.tables import cells, run_source, run_table
from ie_scaling.tables.run_source import RunSource

REST = "rest"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a fit reads: the law, the rows to fit, and the rows only to predict (None for none), of `n_in_table`."""

    law: Law
    fitted: Observations
    holdout: Observations | None
    n_in_table: int

    @property
    def warnings(self) -> list[str]:
        """What is suspicious in the rows, each once."""
        return list(
            dict.fromkeys((*self.fitted.warnings, *(self.holdout.warnings if self.holdout is not None else ())))
        )


def run(config: FitConfig, directory: Path) -> list[str]:
    """Fit as configured and write fit.json, fit_report, predictions.csv, diagnostics.json, draws; returns failures.

    A directory that already holds this very fit is read, not refitted.

    Raises:
      ValueError: bad input, before anything is written.
    """
    resolved = {"experiment": "fit"} | config_lib.to_plain(config)
    if not workdir.is_done(directory, resolved, inputs=inputs_of(config)):
        inputs = load(config)
        with workdir.opened(directory, resolved, inputs=inputs_of(config)):
            _write(config, inputs, directory)
    found = files.read_json(directory / "diagnostics.json")
    return [*found.get("warnings", []), *found["failures"]]


def inputs_of(config: FitConfig) -> workdir.Inputs:
    """What it reads, by name."""
    tables = [config.holdout] if cells.is_table(config.holdout) else []
    return identity.named("runs", run_table.split_paths(config.runs)) | identity.named("holdout", tables)


def load(config: FitConfig) -> Inputs:
    """The law and the rows of a configuration, checked.

    Raises:
      ValueError: one line that names field or file, row, column and rule.
    """
    return load_rows(config, run_source.open_runs(config.runs, config.columns))


def load_rows(config: FitConfig, runs: RunSource) -> Inputs:
    """The law and the rows of a run table that is open already, checked as `load` does.

    Raises:
      InputError: one line that names field or table, row, column and rule.
    """
    law = forms.get_law(config.law, config.tie, config.count)
    fitted_index = runs.filter(config.where)
    fitted = reading.observe(runs, fitted_index)
    fitted.require(law.needs, law.name)
    if len(fitted) < 3:
        raise InputError(f"where={config.where!r}: keeps {len(fitted)} rows of {config.runs}; a fit needs at least 3")
    if _gives_intervals(config):
        fitted = reading.warn_of_few_models(fitted)
    if config.objective == "squared":
        published.check(law)
    holdout = _load_holdout(config, runs, fitted_index, fitted)
    if holdout is not None:
        holdout.require(law.needs, law.name)
    return Inputs(law=law, fitted=fitted, holdout=holdout, n_in_table=len(runs))


def _without_totals(fitted: Observations) -> list[str]:
    """A remark where quantities that are stated at total parameters cannot be."""
    if not np.isnan(fitted.features.n_total).any():
        return []
    return [f"{fitted.name}: n_params_total is unknown, so compute-optimal sizes (C = 6·N_total·D) are left out"]


def _gives_intervals(config: FitConfig) -> bool:
    """Whether the spread among models matters to what is asked."""
    return config.method != "least_squares" or bool(config.n_bootstrap and config.resample == "model")


def _load_holdout(
    config: FitConfig, runs: RunSource, fitted_index: pd.Index, fitted: Observations
) -> Observations | None:
    """Rows that `holdout` names (a table, a row filter, or `rest`), those fitted left out."""
    if not config.holdout:
        return None
    if cells.is_table(config.holdout):
        return _warn_of_fitted(reading.read(config.holdout, columns=config.columns), fitted)
    chosen = runs.filter("" if config.holdout == REST else config.holdout, "holdout")
    held = chosen[~chosen.isin(fitted_index)]
    if held.empty:
        raise InputError(
            f"holdout={config.holdout!r}: every row it keeps of {config.runs} is fitted; where must leave them out, "
            "such as where='n_params_total < 5e8' with holdout=rest"
        )
    return reading.observe(runs, held, say_remarks=False)


def _warn_of_fitted(held: Observations, fitted: Observations) -> Observations:
    """The rows of a holdout table, with a warning (also said) where some are those that are fitted."""
    known = {*zip(fitted.features.n_known, fitted.features.n_tokens, fitted.log_loss_R, strict=True)}
    n_same = sum(
        row in known for row in zip(held.features.n_known, held.features.n_tokens, held.log_loss_R, strict=True)
    )
    if not n_same:
        return held
    warning = (
        f"{held.name}: {n_same} of {len(held)} held-out rows have the size, tokens and loss of a fitted row: what "
        "the law predicts of them is no test of it"
    )
    return dataclasses.replace(held, warnings=(*held.warnings, *reading.say_all([warning])))


def fit_least_squares(config: FitConfig, problem: Problem) -> LeastSquaresFit:
    """The configured objective's minimum."""
    if config.objective == "squared":
        return published.fit(problem)
    return solver.fit(problem, huber_delta=config.huber_delta, n_starts=config.n_starts, seed=config.seed)


def _write(config: FitConfig, inputs: Inputs, directory: Path) -> None:
    """Fit and write everything but DONE."""
    by_bayes = config.method == "bayes"
    question = quantities.ask(inputs.fitted, config.aspect_ratio, config.aspect_pair, config.flop_budgets)
    problem = pose(inputs.law, inputs.fitted)
    prepared = None if config.method == "least_squares" else bayes.prepare(problem, config.nuts)
    say(f"least squares: {inputs.law.name}, {len(inputs.fitted)} rows, {config.objective}")
    fitted = fit_least_squares(config, problem)
    found: dict[str, Any] = {
        "failures": [],
        "warnings": inputs.warnings,
        "remarks": [*inputs.fitted.remarks, *_without_totals(inputs.fitted)],
        "least_squares": {"status": fitted.status, "reasons": list(fitted.reasons)},
    }
    if config.method != "bayes" and fitted.status != "converged":
        found["failures"].append(f"least squares {inputs.law.name}: {fitted.status} ({'; '.join(fitted.reasons)})")
    draws = None
    if config.n_bootstrap:
        say(f"bootstrap: {config.n_bootstrap} resamples of {len(inputs.fitted.model_ids)} models")
        with Progress("bootstrap", config.n_bootstrap, "fits") as progress:
            draws = assemble.from_bootstrap(fitted, config.n_bootstrap, config.seed, config.resample, progress.advance)
        assemble.add_quantities(draws, question)
        draws.save(directory / "bootstrap.nc")
    if prepared is not None:
        start = fitted
        if config.objective == "squared":  # its coefficients may be negative: no place to start from
            start = solver.fit(problem, n_starts=config.n_starts, seed=config.seed)
        n_chains, n_transitions = config.nuts.n_chains, config.nuts.n_warmup + config.nuts.n_samples
        with Progress(f"sampling {inputs.law.name} ({n_chains} chains)", n_transitions, "draw") as progress:
            draws = bayes.finish(prepared, start, config.seed, progress.advance)
        found["bayes"] = {"passed": not draws.failures, "seconds": draws.seconds} | config_lib.to_plain(draws.gate)
        found["failures"] += [f"bayes {inputs.law.name}: {failure}" for failure in draws.failures]
        assemble.add_quantities(draws, question)
        draws.save(directory / "posterior.nc")
        certified = certificate.short(draws, config.seed)
        files.write_json(directory / "certificate.json", _finite(certified))
        found["certificate"] = {"passed": certified["passed"], "failures": certified["failures"]}
        found["failures"] += [
            f"certificate {inputs.law.name}: {failure}"
            for failure in certified["failures"]
            if not failure.startswith("convergence")
        ]
    found["failures"] += mixed_losses(inputs.fitted)
    table = predict_table(inputs, None if by_bayes else fitted, draws, config.seed)
    cells.write_table(directory / "predictions.csv", table)
    files.write_json(directory / "diagnostics.json", _finite(found))
    fit = _finite(summarise(config, inputs, fitted, draws, table, found))
    fit["quantities"] = _finite(describe_quantities(inputs.law, None if by_bayes else fitted, draws, question))
    report = checklist.fill(config, inputs.law, inputs.fitted, inputs.holdout, fit)
    files.write_json(directory / "fit_report.json", report)
    files.write_text(directory / "fit_report.md", checklist.to_markdown(report))
    files.write_json(directory / "fit.json", fit)


def mixed_losses(rows: Observations) -> list[str]:
    """A failure where rows of several sources or loss splits are fitted as if their losses were comparable."""
    for column in ("source", "loss_split"):
        kinds = sorted(set(rows.frame[column]))
        if len(kinds) > 1:
            return [f"{column}: {', '.join(kinds)} share one law without an effect of their own; their E, A, B differ"]
    return []


def describe_quantities(
    law: Law, fitted: LeastSquaresFit | None, draws: Posterior | None, question: quantities.Question
) -> dict[str, Any]:
    """Each quantity's least-squares estimate (None without one) and, of the draws, its mean, sd and interval."""
    described: dict[str, Any] = {}
    if fitted is not None and min(fitted.params.values()) > -np.inf:
        point = {name: np.array([value]) for name, value in fitted.params.items()}
        for name, value in quantities.compute(law, fitted.reference, point, question).items():
            described[name] = {"estimate": float(value[0])}
    for name, values in (draws.quantities if draws is not None else {}).items():
        described[name] = {"estimate": None} | described.get(name, {}) | summarise_draws(values)
    if law.shape_parts and "optimal_aspect_ratio" not in described and described:
        low, high = quantities.ASPECT_RATIOS[[0, -1]]
        note = f"none from {low:g} to {high:g}: under this fit the loss is least at an end"
        described["optimal_aspect_ratio"] = {"estimate": None, "note": note}
    return described


def predict_table(inputs: Inputs, fitted: LeastSquaresFit | None, draws: Posterior | None, seed: int) -> pd.DataFrame:
    """run_id, loss, prediction, lo90, hi90, split and the least-squares prediction of every row.

    With draws of a posterior, the prediction is the median for one more run of that model and the interval its 90 %;
    with a bootstrap the prediction stays least squares'. Without draws the interval is blank.
    """
    tables = []
    for split, rows in (("fit", inputs.fitted), ("holdout", inputs.holdout)):
        if rows is None:
            continue
        table = pd.DataFrame({"run_id": rows.run_ids, "loss": rows.loss_R, "prediction": np.nan, "lo90": np.nan})
        table = table.assign(hi90=np.nan, split=split)
        if fitted is not None:
            table["prediction"] = table["least_squares"] = np.exp(fitted.predict(rows.features))
        if draws is not None:
            names = [rows.model_ids[model] for model in rows.model_R]
            log_loss_WR = draws.log_losses(rows.features, "new_run", seed, model_ids=names)
            low_R, middle_R, high_R = np.exp(np.quantile(log_loss_WR, (0.05, 0.5, 0.95), axis=0))
            table = table.assign(lo90=low_R, hi90=high_R)
            if draws.method == "bayes":
                table["prediction"] = middle_R
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def summarise(
    config: FitConfig,
    inputs: Inputs,
    fitted: LeastSquaresFit,
    draws: Posterior | None,
    table: pd.DataFrame,
    found: dict[str, Any],
) -> dict[str, Any]:
    """fit.json: `params` are least squares' where asked for, else posterior means; `intervals` are of the draws."""
    intervals = None if draws is None else draws.summary()
    by_bayes = config.method == "bayes"
    return {
        "law": inputs.law.name,
        "tie": inputs.law.tie,
        "count": inputs.law.count,
        "method": config.method,
        "params": {name: entry["mean"] for name, entry in intervals.items()}
        if by_bayes and intervals
        else fitted.derived,
        "objective": None if by_bayes else fitted.objective,
        "grad_norm": None if by_bayes else fitted.grad_norm,
        "status": ("converged" if not found["failures"] else "failed_gate") if by_bayes else fitted.status,
        "reasons": found["failures"] if by_bayes else list(fitted.reasons),
        "n_rows": len(inputs.fitted),
        "n_rows_in_table": inputs.n_in_table,
        "warnings": found["warnings"],
        "remarks": found["remarks"],
        "metrics": score(table, "prediction"),
        "metrics_least_squares": None if by_bayes else score(table, "least_squares"),
        "intervals": intervals,
        "intervals_from": None if draws is None else draws.method,
        "gate": None
        if "bayes" not in found
        else {"passed": found["bayes"]["passed"], "failures": found["bayes"]["failures"]},
        "certificate": found.get("certificate"),
        "reference": dataclasses.asdict(fitted.reference),
        "n_starts": fitted.n_starts,
        "n_agreeing": fitted.n_agreeing,
        "runs_sha256": ",".join(files.sha256(Path(path)) for path in run_table.split_paths(config.runs)),
    }


def score(table: pd.DataFrame, column: str) -> dict[str, Any]:
    """Metrics of the rows fitted, held out (None without any), and all together, as arXiv 2501.18107 reports them."""
    result: dict[str, Any] = {}
    for name, rows in (
        ("fit", table[table["split"] == "fit"]),
        ("holdout", table[table["split"] == "holdout"]),
        ("all", table),
    ):
        if rows.empty:
            result[name] = None
            continue
        result[name] = dict(scoring.metrics(rows["loss"].to_numpy(), rows[column].to_numpy()))
        if rows["lo90"].notna().all():
            result[name]["coverage90"] = scoring.coverage(*(rows[key].to_numpy() for key in ("loss", "lo90", "hi90")))
    return result


def _finite(value: Any) -> Any:
    """JSON has no NaN or infinity: they become null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
