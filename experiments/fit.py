"""Fit a scaling law to a run table: which law describes these runs, and how sure can one be of its parameters?"""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ie_scaling.inference.config import NutsConfig
from ie_scaling.laws import bayes, choices, least_squares
from ie_scaling.laws.choices import FitMethod, Misses, Objective, Resample
from ie_scaling.running import diagnostic, files, workdir
from ie_scaling.running.config import at_least, positive, require, to_plain
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.running.progress import Progress, say

if TYPE_CHECKING:
    import pandas as pd

    from ie_scaling.laws.bayes.posterior import Posterior
    from ie_scaling.laws.evidence.record import FitRecord, Fitted
    from ie_scaling.laws.reading import PosedSplit

SECONDS_LEAST_SQUARES, SECONDS_BAYES, SECONDS_FORWARD, BOOTSTRAPS_A_SECOND = 5, 40, 30, 1000
SAMPLING = "parts/sampling.json"  # what posterior.nc does not hold of its sampling, for a start that finds it


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Fit one law to a run table.

    `runs` is the table (several with commas between them are distinguished by column `source`), `columns` a map from
    the run table's column names to the table's own (docs/run_table.md), `where` the rows that are fitted, `holdout` the
    rows that are only predicted (a row filter, the path of another table, or `rest` for every row that is not fitted).
    `count` names which N the law uses; an empty `tie` or `count` means the law's own default. `resample` says what a
    bootstrap draws: whole models, or rows where every row is a run of its own. `misses` says what the posterior lets
    the law miss of a model: `independent`, a number of its own, or `smooth`, also what is alike of shapes alike and how
    its loss falls with tokens (docs/bayes.md).

    A table in the directory of a sweep that is not finished is refused, or taken with a warning where
    `allow_unfinished` says so.

    Quantities that follow from the law are reported with intervals: the best aspect ratio and the difference in ln L
    between the two of `aspect_pair`, at the geometric means of N_total and D; and N and D of least loss for each of
    `flop_budgets` (6·N_total·D; none means ten times the largest of the table) among shapes of `aspect_ratio` (0 means
    the geometric mean) and the table's median proportions.

    A posterior gets a certificate after it has been saved: interrupted there, the next start goes on from it. Most of
    the time of that is a second fit, by chains of at most 500 draws, to all but the largest quarter of the models,
    which says how those are predicted; `skip_forward_coverage` leaves it out.
    """

    runs: str = "data/bian2025.csv"
    columns: str | dict = ""
    where: str = ""
    holdout: str = ""
    law: str = "effective"
    tie: str = ""
    count: str = ""
    method: str = "both"
    objective: str = "huber_log"
    huber_delta: float = 1e-3
    n_starts: int = 64
    n_bootstrap: int = 0
    resample: str = "model"
    misses: str = "independent"
    flop_budgets: tuple[float, ...] = ()
    aspect_ratio: float = 0.0
    aspect_pair: tuple[float, ...] = (32.0, 256.0)
    skip_forward_coverage: bool = False
    allow_unfinished: bool = False
    seed: int = 0
    nuts: NutsConfig = NutsConfig()

    def __post_init__(self) -> None:
        choices.check_fitting(self)
        positive(self, "aspect_pair", "flop_budgets")
        at_least(self, 0, "aspect_ratio")
        require(len(self.aspect_pair) == 2, "aspect_pair", self.aspect_pair, "must be two aspect ratios above zero")


@dataclasses.dataclass(frozen=True, kw_only=True)
class FitResult:
    """A fit with its predictions, what fit.json and fit_report say, and the diagnostics with their details."""

    fitted: Fitted
    predictions: pd.DataFrame
    record: FitRecord
    report: dict[str, Any]
    diagnostics: list[Diagnostic]
    details: dict[str, Any]


def inputs_of(config: Config) -> workdir.Inputs:
    """What it reads, by name."""
    from ie_scaling.tables import run_source

    return run_source.inputs("runs", config.runs) | run_source.inputs("holdout", config.holdout, or_filter=True)


def load(config: Config) -> PosedSplit:
    """The law posed on the rows to fit, and the rows only to predict, checked.

    Raises:
      InputError: one line that names field or file, row, column and rule.
    """
    from ie_scaling.laws import forms, reading
    from ie_scaling.laws.least_squares import published
    from ie_scaling.tables import run_source

    runs = run_source.open_runs(config.runs, config.columns)
    law = forms.get_law(config.law, config.tie, config.count)
    if config.objective == Objective.SQUARED:
        published.check(law)
    resamples_models = config.n_bootstrap > 0 and config.resample == Resample.MODEL
    return reading.split(
        runs,
        law,
        where=config.where,
        holdout=config.holdout,
        columns=config.columns,
        gives_intervals=config.method != FitMethod.LEAST_SQUARES or resamples_models,
        misses=Misses(config.misses),
    )


def preview(_: Config, loaded: PosedSplit) -> list[Diagnostic]:
    """What is suspicious in the rows, and losses that cannot be compared."""
    from ie_scaling.laws import reading

    return diagnostic.each(Kind.TABLE, loaded.warnings) + reading.mixed_losses(loaded.problem.rows)


def resume(config: Config, loaded: PosedSplit, directory: Path) -> FitResult:
    """Fit, save the draws, certify a posterior, predict every row, report, and write all of it."""
    from ie_scaling.laws.evidence import checklist, goodness, record

    fitted = certify(config, fit(config, loaded, directory), directory)
    table = goodness.predict_table(loaded.by_name, fitted.point, fitted.draws)
    fit_json = files.finite(record.summarize(fitted, table))
    result = FitResult(
        fitted=fitted,
        predictions=table,
        record=fit_json,
        report=checklist.fill(
            fit_json,
            loaded,
            fitted.point,
            fitted.bootstrap,
            resample=config.resample,
            nuts=config.nuts,
            seed=config.seed,
        ),
        diagnostics=diagnose(fitted),
        details=files.finite(_details(fitted)),
    )
    _write(result, directory)
    return result


def fit(config: Config, split: PosedSplit, directory: Path) -> Fitted:
    """Least squares, and from there the bootstrap and the posterior that are configured, which are saved.

    Raises:
      FloatingPointError: no start of least squares gave a finite objective.
    """
    from ie_scaling.laws.bayes import quantities
    from ie_scaling.laws.evidence import record
    from ie_scaling.laws.least_squares import published

    problem, bootstrap = split.problem, None
    question = quantities.ask(problem, config.aspect_ratio, config.aspect_pair, config.flop_budgets)
    posterior, prepared = _saved(config, directory), None
    if posterior is None and config.method != FitMethod.LEAST_SQUARES:
        prepared = bayes.prepare(problem, config.nuts)

    say(f"least squares: {problem.law.name}, {len(problem)} rows, {config.objective}")
    if config.objective == Objective.SQUARED:
        point = published.fit(problem)
    else:
        point = least_squares.fit(problem, huber_delta=config.huber_delta, n_starts=config.n_starts, seed=config.seed)

    if config.n_bootstrap:
        say(f"bootstrap: {config.n_bootstrap} resamples of {problem.n_models} models")
        with Progress("bootstrap", config.n_bootstrap, "fits") as progress:
            bootstrap = bayes.bootstrap(
                point, config.n_bootstrap, config.seed, config.resample, progress.advance, question=question
            )
        bootstrap.save(directory / "bootstrap.nc")

    if prepared is not None:
        start = point
        if config.objective == Objective.SQUARED:  # whose coefficients may be negative: nowhere to start from
            start = least_squares.fit(problem, n_starts=config.n_starts, seed=config.seed)
        label = f"sampling {problem.law.name} ({config.nuts.n_chains} chains)"
        with Progress(label, config.nuts.n_warmup + config.nuts.n_samples, "draw") as progress:
            posterior = bayes.finish(prepared, start, config.seed, progress.advance, question=question)
        posterior.save(directory / "posterior.nc")
        files.write_json(directory / SAMPLING, {"seconds": posterior.seconds, "gate": to_plain(posterior.gate)})

    return record.Fitted(
        split=split,
        question=question,
        method=FitMethod(config.method),
        least_squares=point,
        bootstrap=bootstrap,
        posterior=posterior,
        certificate=None,
    )


def _saved(config: Config, directory: Path) -> Posterior | None:
    """The posterior that an interrupted start saved whole: what of its sampling its file lacks is written after it."""
    from ie_scaling.inference.diagnostics import Gate
    from ie_scaling.laws.bayes import posterior

    if not (directory / SAMPLING).exists():
        return None
    sampling = files.read_json(directory / SAMPLING)
    gate = Gate(**sampling["gate"] | {"failures": tuple(sampling["gate"]["failures"])})
    say(f"sampling: {directory / 'posterior.nc'} is there")
    draws = posterior.load(directory / "posterior.nc")  # of this law: the directory is this configuration's
    return dataclasses.replace(draws, gate=gate, seconds=sampling["seconds"], seed=config.seed)


def certify(config: Config, fitted: Fitted, directory: Path) -> Fitted:
    """With the certificate of its posterior; rolled forward at most once, whose result parts/ keeps."""
    from ie_scaling.laws.evidence import certificate

    if fitted.posterior is None:
        return fitted
    roll_forward = functools.partial(certificate.roll_forward_briefly, fitted.split.problem, config.seed, config.nuts)
    rolled = None
    if not config.skip_forward_coverage:
        rolled = files.read_or_make(directory / "parts" / "rolled_forward.json", roll_forward)
    return dataclasses.replace(fitted, certificate=certificate.short(fitted.posterior, rolled))


def diagnose(fitted: Fitted) -> list[Diagnostic]:
    """What was assumed of the rows, what is suspicious in them, and what failed of their fit."""
    from ie_scaling.laws.evidence import record

    assumed = diagnostic.each(Kind.ASSUMPTION, record.remarks(fitted.split.problem.rows))
    return assumed + diagnostic.each(Kind.TABLE, fitted.split.warnings) + fitted.failures


def _details(fitted: Fitted) -> dict[str, Any]:
    """Status of least squares, and of a posterior the gate in full, seconds and the certificate's verdict."""
    start, posterior = fitted.least_squares, fitted.posterior
    details: dict[str, Any] = {"least_squares": {"status": start.status, "reasons": list(start.reasons)}}
    if posterior is not None:
        gate = {"passed": not posterior.failures, "seconds": posterior.seconds}
        details["bayes"] = gate | to_plain(posterior.gate)
    if fitted.certificate is not None:
        details["certificate"] = fitted.certificate.verdict
    return details


def _write(result: FitResult, directory: Path) -> None:
    """predictions.csv, fit_report, of a posterior certificate.json, and fit.json; the draws are there."""
    from ie_scaling.laws.evidence import checklist
    from ie_scaling.tables import cells

    if (certified := result.fitted.certificate) is not None:
        files.write_json(directory / "certificate.json", files.finite(certified.answer))
    cells.write_table(directory / "predictions.csv", result.predictions)
    files.write_json(directory / "fit_report.json", result.report)
    files.write_text(directory / "fit_report.md", checklist.to_markdown(result.report))
    files.write_json(directory / "fit.json", result.record)


def figures(result: FitResult, directory: Path) -> None:
    """Of a posterior: what its priors allow, beside the losses."""
    if result.fitted.certificate is None:
        return
    from ie_scaling.report import figures, law_figures

    checks = files.finite(result.fitted.certificate.answer["prior_predictive"])
    figures.save(law_figures.prior_checks(checks), directory / "figures" / "priors.png")


def show(directory: Path) -> None:
    """The parameters with their intervals, the metrics and the verdicts."""
    from ie_scaling.laws.evidence import record

    print(record.to_text(files.read_json(directory / "fit.json")))
    print(f"{directory}: {', '.join(sorted(path.name for path in directory.glob('[a-z]*.*')))}")


def estimate(config: Config, loaded: PosedSplit) -> str:
    """Rows, law, free parameters and a rough time."""
    problem, law = loaded.problem, loaded.problem.law
    held_out = "none" if loaded.holdout is None else f"{len(loaded.holdout)} rows"
    seconds = (
        SECONDS_LEAST_SQUARES
        + (SECONDS_BAYES + SECONDS_FORWARD * (not config.skip_forward_coverage))
        * (config.method != FitMethod.LEAST_SQUARES)
        + config.n_bootstrap // BOOTSTRAPS_A_SECOND
    )
    return (
        f"{config.runs}: {len(problem)} rows of {problem.n_models} models fitted, held out {held_out}\n"
        f"law {law.name} (tie {law.tie}, N {law.count}), {len(law.names)} free parameters: {', '.join(law.names)}\n"
        f"about {seconds} s on two CPU cores"
    )
