"""The certificate of a law on a table: simulated calibration, coverage rolled forward in size, and what priors decide.

Every Bayesian fit gets the short one, of what its draws alone can say: coverage of models left out one at a time, what
the priors decide, and whether the priors allow for the losses at all.
"""

import dataclasses
from typing import Any

import numpy as np
from scipy import stats

from ie_scaling.inference import nuts, scoring
from ie_scaling.inference.config import NutsConfig
from ie_scaling.laws import bayes
from ie_scaling.laws.bayes import leave_out, quantities
from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.laws.evidence import calibration, prior_checks, sensitivity, splits
from ie_scaling.laws.evidence.record import Judgment
from ie_scaling.laws.law import Law
from ie_scaling.laws.problem import Problem, pose
from ie_scaling.running import diagnostic, environment
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.running.progress import Progress

MANY_DIVERGENT = 0.1  # of the simulated tables: ranks that are off may then be the short chains' fault


class ShortAnswer(Judgment):
    """certificate.json of a fit: the verdict, and the three checks it rests on."""

    kind: str
    models_left_out: dict[str, float]  # coverage50, coverage90, n_models, high_pareto_k
    prior_predictive: dict[str, Any]  # prior_checks.predict
    sensitivity: dict[str, sensitivity.Sensitivity]


@dataclasses.dataclass(frozen=True)
class ShortCertificate:
    """What failed besides convergence, which draws carry themselves, and certificate.json, which has both."""

    diagnostics: list[Diagnostic]
    answer: ShortAnswer

    @property
    def verdict(self) -> Judgment:
        """Whether it passed, and why not."""
        return {"passed": self.answer["passed"], "failures": self.answer["failures"]}


def _improbable(coverage90: float, n_models: int, level: float) -> bool:
    """Whether 90 % would give such a share less often than `level`, were models independent."""
    return stats.binomtest(round(coverage90 * n_models), n_models, 0.9).pvalue < level


def judge(law: Law, runs: str, simulated: dict[str, Any], forward: dict[str, Any], own: Judgment) -> dict[str, Any]:
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
    low, high = scoring.COVERAGE_90
    if not low <= forward["coverage90"] <= high and _improbable(forward["coverage90"], forward["n_models"], 0.05):
        covered = f"{100 * forward['coverage90']:.0f} % of {forward['n']} rows"
        failures.append(f"rolled forward: 90 % intervals cover {covered}")
    failures += [f"rolled forward: {failure}" for failure in forward["gate"]] + own["failures"]
    return {
        "kind": "full",
        "passed": not failures,
        "failures": failures,
        "law": law.name,
        "tie": law.tie,
        "count": law.count,
        "runs": runs,
        "calibration": simulated,
        "rolled_forward": forward,
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
    """The short certificate of the law fitted to all rows."""
    return short(_posterior(problem, seed, f"fit {problem.law.name}", quantities.ask(problem))).answer


def _posterior(problem: Problem, seed: int, label: str, question: quantities.Question | None = None) -> Posterior:
    """NUTS at default settings from the least-squares fit."""
    settings = NutsConfig()
    with Progress(label, settings.n_warmup + settings.n_samples, "draws") as progress:
        return bayes.fit(problem, settings, seed, progress.advance, question=question)


def short(posterior: Posterior) -> ShortCertificate:
    """The short certificate of a fit.

    It fails where 90 % intervals of models left out (by importance sampling) cover a share that 90 % would give less
    than one time in a hundred, were models independent; where the prior decides a quantity of interest;
    or where a loss lies outside the central 99.8 % of what the priors allow.
    """
    left_out = leave_out.leave_models_out(posterior, posterior.seed)
    n_models = len(posterior.model_ids)
    sensitive = sensitivity.of(posterior)
    coverage = {f"coverage{level}": left_out.coverage(level / 100) for level in (50, 90)}
    convergence, failures = [f"convergence: {failure}" for failure in posterior.failures], []
    if _improbable(coverage["coverage90"], n_models, 0.01):
        failures.append(f"models left out: 90 % intervals cover {100 * coverage['coverage90']:.0f} % of their rows")
    failures += [
        f"sensitivity: {sensitive[name]['verdict']} on {name} (prior {sensitive[name]['prior']:.2f})"
        for name in posterior.quantities
        if sensitive[name]["verdict"] is not sensitivity.Influence.DATA
    ]
    allowed = prior_checks.predict(posterior, posterior.seed)
    if outside := 100 * allowed["share_outside"]:
        failures.append(f"priors: {outside:.0f} % of the losses lie outside the 99.8 % they allow")
    answer: ShortAnswer = {
        "kind": "short",
        "passed": not (convergence or failures),
        "failures": convergence + failures,
        "models_left_out": coverage | {"n_models": n_models, "high_pareto_k": left_out.n_unreliable},
        "prior_predictive": allowed,
        "sensitivity": sensitive,
    }
    subject = f"certificate {posterior.law.name}"
    return ShortCertificate(diagnostic.each(Kind.CERTIFICATE, failures, subject), answer)


def roll_forward(problem: Problem, seed: int) -> dict[str, Any]:
    """Fit all but the largest quarter of the models, predict it as new runs: coverage and log score."""
    law, rows = problem.law, problem.rows
    largest_R = splits.largest_models(rows, 0.25)
    smaller, larger = rows.take(~largest_R), rows.take(largest_R)
    posterior = _posterior(pose(law, smaller, misses=problem.misses), seed, f"roll {law.name} forward")
    names = [larger.model_ids[model] for model in larger.model_R]
    loss_WR = posterior.losses(larger.features, level="new_run", seed=seed, model_ids=names).all()
    forward: dict[str, Any] = {"n": len(larger), "n_models": len(larger.model_ids)}
    forward["gate"] = list(posterior.failures)
    for level in (50, 90):
        edges = np.quantile(loss_WR, (0.5 - level / 200, 0.5 + level / 200), axis=0)
        forward[f"coverage{level}"] = scoring.coverage(larger.loss_R, *edges)
    forward["mse"] = scoring.mse(larger.loss_R, np.median(loss_WR, axis=0))
    low_R, high_R = np.quantile(loss_WR, (0.05, 0.95), axis=0)
    forward["rows"] = [
        {"run_id": run, "loss": float(loss), "lo90": float(low), "hi90": float(high)}
        for run, loss, low, high in zip(larger.run_ids, larger.loss_R, low_R, high_R, strict=True)
    ]
    return forward
