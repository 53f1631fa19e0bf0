"""The report that a published fit owes its readers: the checklist of [MF] (docs/laws.md), filled in."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ie_scaling.inference.config import NutsConfig
from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.laws.choices import Objective
from ie_scaling.laws.evidence.record import FitRecord, besides
from ie_scaling.laws.law import Law
from ie_scaling.laws.least_squares import LeastSquaresFit
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.reading import PosedSplit
from ie_scaling.running import environment, markdown
from ie_scaling.running.config import to_plain

COUNTED = {
    "total": "all parameters, both vocabulary matrices included (one where tied)",
    "non_embedding": "all but the vocabulary matrices",
    "effective": "N_non + ω·N_emb with 0 ≤ ω ≤ 1 fitted",
}
UNKNOWN = "not recorded in a run table"
OPTIMIZERS = {
    Objective.HUBER_LOG: "damped Newton with exact Hessians from many starts through a falling δ, float64",
    Objective.SQUARED: (
        "scipy curve_fit from its published start (Levenberg-Marquardt, or trust region where γ is bounded)"
    ),
}
OBJECTIVES = {
    Objective.HUBER_LOG: "sum over rows of Huber(ln L − ln L̂), E at most the smallest loss fitted",
    Objective.SQUARED: "sum over rows of (L − L̂)², as published",
}


def fill(
    record: FitRecord,
    split: PosedSplit,
    point: LeastSquaresFit | None,
    bootstrap: Posterior | None,
    *,
    resample: str,
    nuts: NutsConfig,
    seed: int,
) -> dict[str, Any]:
    """Section → item → answer, JSON-ready.

    `record` is fit.json; `point` is least squares unless it was only a start. `resample` says what the bootstrap drew,
    `nuts` how a posterior was sampled.
    """
    law = split.problem.law
    return {
        "hypothesis": _hypothesis(law, record),
        "training setup": _setup(law, split.problem.rows),
        "data": _data(split, record),
        "fitting": {"method": record["method"], "seed": seed}
        | _least_squares(point)
        | _draws(record, bootstrap, resample, nuts)
        | {"parameters": record["params"]},
        "goodness": _goodness(record),
        "code": {"version": environment.git_revision(), **environment.versions()},
    }


def to_markdown(report: dict[str, Any]) -> str:
    """The report as a page of tables."""
    text = "# Fit report\n\nThe checklist of arXiv 2502.18969, filled in from the run table and the fit.\n"
    for section, items in report.items():
        rows = [(name, _cell(value)) for name, value in items.items()]
        text += f"\n## {section.capitalize()}\n\n{markdown.table(('item', 'answer'), rows)}"
    return text


def _hypothesis(law: Law, record: FitRecord) -> dict[str, Any]:
    tie = {option.name: option.equal for option in law.ties}[law.tie]
    return {
        "law": law.name,
        "form": f"L = {law.formula}" + "; C(N, D) = E + A·N^−α + B·D^−β" * ("C(N, D)" in law.formula),
        "letters": "N parameters, D tokens, R = d/n, x = d/√N_non, r = MLP/attention parameters, g = query group",
        "source": law.citation,
        "variables": ", ".join(law.needs),
        "free parameters": f"{len(law.names)}: {', '.join(law.names)}",
        "equalities imposed": ", ".join(f"{one} = {other}" for one, other in tie) or "none",
        "reference point": record["reference"],
    }


def _setup(law: Law, rows: Observations) -> dict[str, Any]:
    x = rows.features
    several = np.bincount(rows.model_R) > 1
    flops = 6 * x.n_total * x.n_tokens
    return {
        "models": len(rows.model_ids),
        "rows": len(rows),
        "models with several rows": f"{int(several.sum())} (checkpoints or budgets of one model: kept together)",
        "N_total": _range(x.n_total),
        "N_non_embedding": _range(x.n_non_embedding),
        "D tokens": _range(x.n_tokens),
        "D / N_total": _range(x.n_tokens / x.n_total),
        "6·N_total·D": _range(flops),
        "d_model": _range(x.d_model),
        "n_layers": _range(x.n_layers),
        "d/n": _range(x.aspect_ratio),
        "MLP/attention parameters": _range(x.mlp_attention_ratio),
        "query heads per key-value head": _range(x.query_group),
        "N in the law": f"{law.count}: {COUNTED[law.count]}" if not law.needs_no_count else "does not stand in the law",
        "C": "6·N_total·D where FLOPs are quoted",
        "hyper-parameters, their rule, repetition of data": UNKNOWN,
    }


def _data(split: PosedSplit, record: FitRecord) -> dict[str, Any]:
    rows, holdout = split.problem.rows, split.holdout
    frame = rows.frame
    return {
        "table": rows.name,
        "sha256": record["runs_sha256"],
        "sources": sorted(set(frame["source"])),
        "loss": sorted(set(frame["loss_split"])),
        "rows in the table": split.n_in_table,
        "columns": split.columns or "as the run table names them",
        "row filter": split.where or "none",
        "rows fitted": len(rows),
        "rows held out": f"{len(holdout)} ({split.held_out})" if holdout is not None else "none",
        "rows that repeat another": rows.n_duplicates,
        "rows dropped": split.n_in_table - len(rows) - rows.n_duplicates,
        "assumed of the table": record["remarks"] or "nothing",
        "suspicious in the table": record["warnings"] or "nothing",
        "averaging of checkpoints": "none here; each row as the table has it",
    }


def _least_squares(point: LeastSquaresFit | None) -> dict[str, Any]:
    if point is None:
        return {}
    return {
        "objective": OBJECTIVES[point.loss_function],
        "δ": point.huber_delta if point.loss_function is Objective.HUBER_LOG else "none",
        "optimiser": OPTIMIZERS[point.loss_function],
        "starts": f"{point.n_starts}, {point.n_agreeing} of them reached the optimum",
        "objective at the optimum": point.objective,
        "gradient norm": point.grad_norm,
        "status": point.status,
        "reasons": list(point.reasons) or "none",
    }


def _draws(record: FitRecord, bootstrap: Posterior | None, resample: str, nuts: NutsConfig) -> dict[str, Any]:
    items: dict[str, Any] = {}
    if bootstrap is not None:
        items["bootstrap"] = f"{bootstrap.n_draws} resamples of whole {resample}s"
    if (gate := record["gate"]) is not None:
        items["sampler"] = f"NUTS, {to_plain(nuts)}"
        items["convergence gate"] = "passed" if gate["passed"] else f"FAILED: {gate['failures']}"
    return items


def _goodness(record: FitRecord) -> dict[str, Any]:
    items: dict[str, Any] = {f"{split} rows": values for split, values in record["metrics"].items() if values}
    if record["metrics"]["holdout"] is None:
        items["extrapolation"] = "no rows held out: configs/compare_laws.py scores this law on sizes left out"
    if (certificate := record["certificate"]) is not None:
        items["short certificate"] = "passed" if certificate["passed"] else f"FAILED: {certificate['failures']}"
        items["what the certificate says besides"] = "; ".join(besides(certificate))
    for name, entry in (record["intervals"] or {}).items():
        items[name] = _interval(entry, record)
    for name, entry in record["quantities"].items():
        if entry["estimate"] is not None:
            items[f"{name}, least squares"] = f"{entry['estimate']:.6g}"
        if entry.get("lo90") is not None:
            items[f"{name}, median"] = _interval(entry, record)
        if "note" in entry:
            items[name] = entry["note"]
    return items


def _interval(entry: Mapping[str, Any], record: FitRecord) -> str:
    interval = f"90 % {entry['lo90']:.6g} to {entry['hi90']:.6g}, {record['intervals_from']}"
    return f"{entry['median']:.6g} ({interval})"


def _range(values_R: np.ndarray) -> str:
    known = values_R[~np.isnan(values_R)]
    if not len(known):
        return "blank"
    low, high = known.min(), known.max()
    return f"{low:.4g} throughout" if low == high else f"{low:.4g} to {high:.4g}, {len(np.unique(known))} values"


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_cell(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_cell, value))
    return f"{value:.17g}" if isinstance(value, float) else str(value)
