"""The certificate of a law on a table: simulated calibration, coverage rolled forward in size, and what priors decide.

Every Bayesian fit gets the short one. What its draws alone can say: coverage and normal scores of models left out one
at a time, what the priors decide, and whether the priors allow for the losses at all; and, of a second fit to its
smaller models, how the larger ones are predicted.
"""

import dataclasses
from typing import Any

import numpy as np

from ie_scaling.errors import InputError
from ie_scaling.inference import nuts, scoring
from ie_scaling.inference.config import NutsConfig
from ie_scaling.laws import bayes
from ie_scaling.laws.bayes import leave_out, quantities
from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.laws.evidence import calibration, detectable, forward, prior_checks, sensitivity
from ie_scaling.laws.evidence.detectable import NormalScores, Sides
from ie_scaling.laws.evidence.forward import Forward
from ie_scaling.laws.evidence.record import CertificateRecord, Judgment
from ie_scaling.laws.law import Law
from ie_scaling.laws.problem import Problem
from ie_scaling.running import diagnostic, environment
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.running.progress import Progress

BRIEF = 500  # draws of each chain of a fit that is rolled forward, and its warm-up
MANY_DIVERGENT = 0.1  # of the simulated tables: ranks that are off may then be the short chains' fault


class ShortAnswer(CertificateRecord):
    """certificate.json of a fit: the verdict, what it could have noticed, and the checks that it rests on."""

    kind: str
    models_left_out: dict[str, float]  # coverage50, coverage90, n_models, high_pareto_k, p_low, detectable90
    pit: dict[str, Any]  # detectable.NormalScores, of the models left out
    rolled_forward: Forward | None
    prior_predictive: dict[str, Any]  # prior_checks.predict
    sensitivity: dict[str, sensitivity.Sensitivity]


@dataclasses.dataclass(frozen=True)
class ShortCertificate:
    """What failed besides convergence, which draws carry themselves, and certificate.json, which has both."""

    diagnostics: list[Diagnostic]
    answer: ShortAnswer

    @property
    def verdict(self) -> CertificateRecord:
        """Whether it passed, why not, and how much it could have noticed."""
        return {key: self.answer[key] for key in CertificateRecord.__annotations__}  # ty: ignore


def judge(law: Law, runs: str, simulated: dict[str, Any], rolled: Forward, own: Judgment) -> dict[str, Any]:
    """The certificate, JSON-ready."""
    failures = [
        f"calibration of {name}: p {entry['p_value']:.4f}"
        for name, entry in simulated["quantities"].items()
        if not entry["passed"]
    ]
    n_tables, divergent = simulated["n_tables"], simulated["tables_with_divergences"]
    if failures and divergent > MANY_DIVERGENT * n_tables:
        failures.append(
            f"calibration: {divergent} of {n_tables} chains had divergences: repeat with more n_warmup and n_samples, "
            "and target_accept nearer to 1, before blaming the model"
        )
    failures += forward.judge(rolled)
    failures += [f"rolled forward: {failure}" for failure in rolled["gate"]] + own["failures"]
    return {
        "kind": "full",
        "passed": not failures,
        "failures": failures,
        "law": law.name,
        "tie": law.tie,
        "count": law.count,
        "runs": runs,
        "calibration": simulated,
        "rolled_forward": rolled,
        "all_rows": own,
        "version": environment.git_revision(),
    }


def calibrate(
    problem: Problem, n_tables: int, prior_scale: float, schedule: nuts.ChainSchedule, seed: int
) -> dict[str, Any]:
    """Rank histograms of every quantity with their verdicts."""
    truths = calibration.simulate(problem, n_tables, seed, prior_scale)
    n_transitions = schedule.n_warmup + schedule.n_samples
    with Progress(f"calibrate {problem.law.name} ({n_tables} tables)", n_transitions, "transitions") as progress:
        draws, n_diverging_S = calibration.fit_all(problem, truths, schedule, seed, progress.advance)
    rank_S, n_draws = calibration.ranks(problem, truths, draws, seed), draws["z"].shape[1]
    return {
        "n_tables": n_tables,
        "n_draws": n_draws,
        "tables_with_divergences": int((n_diverging_S > 0).sum()),
        "planted_prior_scale": prior_scale,
        "quantities": {name: calibration.judge(values, n_draws) for name, values in rank_S.items()},
    }


def of_all_rows(problem: Problem, seed: int) -> ShortAnswer:
    """The short certificate of the law fitted to all rows, but for rolling forward."""
    draws = _posterior(problem, NutsConfig(), seed, f"fit {problem.law.name}", quantities.ask(problem))
    return short(draws).answer


def roll_forward(problem: Problem, seed: int, settings: NutsConfig | None = None) -> Forward:
    """Fit all but the largest quarter of the models by NUTS, at default settings if none are given, and predict it."""
    label = f"roll {problem.law.name} forward"
    return forward.roll(problem, lambda smaller: _posterior(smaller, settings or NutsConfig(), seed, label), seed)


def roll_forward_briefly(problem: Problem, seed: int, settings: NutsConfig) -> Forward | str:
    """`roll_forward` by chains that are no longer than a coverage needs, or why it cannot be done.

    At most BRIEF draws after as many of warm-up, never doubled, behind a gate as loose as that allows.
    """
    if problem.n_models < forward.FEWEST:
        return f"{problem.n_models} models are too few to predict the largest quarter from the rest"
    n_warmup, n_samples = (min(n, BRIEF) for n in (settings.n_warmup, settings.n_samples))
    limits = {"max_rhat": max(settings.max_rhat, 1.05), "min_ess": min(settings.min_ess, 100.0)}
    brief = {"n_warmup": n_warmup, "n_samples": n_samples, "max_samples": n_samples} | limits
    try:
        return roll_forward(problem, seed, dataclasses.replace(settings, **brief))
    except (InputError, FloatingPointError) as error:
        return str(error)


def _posterior(
    problem: Problem, settings: NutsConfig, seed: int, label: str, question: quantities.Question | None = None
) -> Posterior:
    """NUTS from the least-squares fit."""
    with Progress(label, settings.n_warmup + settings.n_samples, "draws") as progress:
        return bayes.fit(problem, settings, seed, progress.advance, question=question)


def short(posterior: Posterior, rolled: Forward | str | None = None) -> ShortCertificate:
    """The short certificate of a fit, and of its rows rolled forward where that was done (or why it was not).

    It fails where 90 % intervals of models left out (by importance sampling), or of the larger models as predicted from
    the smaller, cover less than right ones would one time in twenty; where normal scores of the models left out depart
    from normal ones as seldom; where the prior decides a parameter of the law or a quantity within the rows; or where
    a loss lies outside the central 99.8 % of what the priors allow. What else the priors touch is in the notes.
    """
    left_out = leave_out.leave_models_out(posterior, posterior.seed)
    left, pit = _judge_left_out(left_out, posterior)
    sensitive = sensitivity.of(posterior)
    allowed = prior_checks.predict(posterior, posterior.seed)
    convergence = [f"convergence: {failure}" for failure in posterior.failures]
    failures = _coverage_failures(left) + _pit_failures(pit)
    result = rolled if isinstance(rolled, dict) else None
    if result is not None:
        failures += forward.judge(result)
    condemning, notes = sensitivity.judge(sensitive)
    failures += condemning
    if outside := 100 * allowed["share_outside"]:
        failures.append(f"priors: {outside:.0f} % of the losses lie outside the 99.8 % they allow")
    if isinstance(rolled, str):
        notes.append(f"not rolled forward: {rolled}")
    elif result is not None:
        notes += [f"rolled forward by brief chains: {failure}" for failure in result["gate"]]
    answer: ShortAnswer = {
        "kind": "short",
        "passed": not (convergence or failures),
        "failures": convergence + failures,
        "noticeable": _noticeable(left, result),
        "notes": notes,
        "models_left_out": left,
        "pit": dataclasses.asdict(pit),
        "rolled_forward": result,
        "prior_predictive": allowed,
        "sensitivity": sensitive,
    }
    subject = f"certificate {posterior.law.name}"
    return ShortCertificate(diagnostic.each(Kind.CERTIFICATE, failures, subject), answer)


def _judge_left_out(left_out: leave_out.LeaveOut, posterior: Posterior) -> tuple[dict[str, float], NormalScores]:
    """Coverages of models left out, with what they could have noticed, and their normal scores."""
    model_R, n_models = posterior.rows.model_R, len(posterior.model_ids)
    covered_R = np.abs(left_out.pit_R - 0.5) <= 0.5 * detectable.NOMINAL
    left: dict[str, float] = {f"coverage{level}": left_out.coverage(level / 100) for level in (50, 90)}
    left |= {"n_models": n_models, "high_pareto_k": left_out.n_unreliable}
    left["p_low"] = detectable.as_few_covered(detectable.of_models(covered_R, model_R).mean(), n_models)
    left["detectable90"] = max(detectable.by_spread(n_models), detectable.by_coverage(n_models) or 0.0)
    return left, detectable.normal_scores(left_out.pit_R, model_R, posterior.n_draws)


def _coverage_failures(left: dict[str, float]) -> list[str]:
    if left["coverage90"] >= scoring.COVERAGE_90[0] or left["p_low"] >= detectable.LEVEL:
        return []
    return [f"models left out: 90 % intervals cover {100 * left['coverage90']:.0f} % of their rows"]


def _pit_failures(pit: NormalScores) -> list[str]:
    if pit.p_value >= detectable.LEVEL:
        return []
    departs = (
        f"their mean is {pit.mean:.2f}, not 0"
        if pit.departs is Sides.LOCATION
        else f"their mean square is {pit.spread:.2g}, not 1"
    )
    return [f"models left out: normal scores of {pit.n_models} models are not normal, {departs} (p {pit.p_value:.2g})"]


def _noticeable(left: dict[str, float], rolled: Forward | None) -> str:
    """What the tests of coverage could have noticed, in a line."""
    line = f"with probability {detectable.POWER:g} it would have noticed that 90 % intervals truly cover less than "
    line += f"{100 * left['detectable90']:.0f} % of the rows of {left['n_models']:.0f} models left out"
    if rolled is None:
        return line
    rows = f"of {rolled['n']} rows of the {rolled['n_models']} largest models, predicted from the others"
    if (share := rolled["detectable90"]) is None:
        return f"{line}; it would have noticed no coverage, however low, {rows}"
    return f"{line}, or less than {100 * share:.0f} % {rows}"
