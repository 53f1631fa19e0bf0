"""The report that a published fit owes its readers: the checklist of "Misfitting" [2502.18969], filled in."""

from typing import Any

import numpy as np

from ie_scaling.laws.config import FitConfig
from ie_scaling.laws.law import Law
from ie_scaling.laws.observations import Observations
from ie_scaling.running import config as config_lib
from ie_scaling.running import environment, markdown

COUNTED = {
    "total": "all parameters, both vocabulary matrices included (one where tied)",
    "non_embedding": "all but the vocabulary matrices",
    "effective": "N_non + ω·N_emb with 0 ≤ ω ≤ 1 fitted",
}
UNKNOWN = "not recorded in a run table"
OPTIMISERS = {
    "huber_log": "damped Newton with exact Hessians from many starts through a falling δ, float64",
    "squared": "scipy curve_fit from its published start (Levenberg-Marquardt, or trust region where γ is bounded)",
}
OBJECTIVES = {
    "huber_log": "sum over rows of Huber(ln L − ln L̂), E at most the smallest loss fitted",
    "squared": "sum over rows of (L − L̂)², as published",
}


def fill(config: FitConfig, law: Law, fitted: Observations, held: Observations | None, fit: dict) -> dict[str, Any]:
    """Section → item → answer, JSON-ready; `fit` is what fit.json holds."""
    return {
        "hypothesis": _hypothesis(law, fit),
        "training setup": _setup(law, fitted),
        "data": _data(config, fitted, held, fit),
        "fitting": _fitting(config, fit),
        "goodness": _goodness(fit),
        "code": {"version": environment.git_revision(), **environment.versions()},
    }


def to_markdown(report: dict[str, Any]) -> str:
    """The report as a page of tables."""
    text = "# Fit report\n\nThe checklist of arXiv 2502.18969, filled in from the run table and the fit.\n"
    for section, items in report.items():
        rows = [(name, _cell(value)) for name, value in items.items()]
        text += f"\n## {section.capitalize()}\n\n{markdown.table(('item', 'answer'), rows)}"
    return text


def _hypothesis(law: Law, fit: dict) -> dict[str, Any]:
    tie = {option.name: option.equal for option in law.ties}[law.tie]
    return {
        "law": law.name,
        "form": f"L = {law.formula}" + "; C(N, D) = E + A·N^−α + B·D^−β" * ("C(N, D)" in law.formula),
        "letters": "N parameters, D tokens, R = d/n, x = d/√N_non, r = MLP/attention parameters, g = query group",
        "source": law.citation,
        "variables": ", ".join(law.needs),
        "free parameters": f"{len(law.names)}: {', '.join(law.names)}",
        "equalities imposed": ", ".join(f"{one} = {other}" for one, other in tie) or "none",
        "reference point": fit["reference"],
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


def _data(config: FitConfig, rows: Observations, held: Observations | None, fit: dict) -> dict[str, Any]:
    frame = rows.frame
    in_table = fit["n_rows_in_table"]
    return {
        "table": config.runs,
        "sha256": fit["runs_sha256"],
        "sources": sorted(set(frame["source"])),
        "loss": sorted(set(frame["loss_split"])),
        "rows in the table": in_table,
        "columns": config.columns or "as the run table names them",
        "row filter": config.where or "none",
        "rows fitted": len(rows),
        "rows held out": f"{len(held)} ({config.holdout})" if held is not None else "none",
        "rows that repeat another": rows.n_duplicates,
        "rows dropped": in_table - len(rows) - rows.n_duplicates,
        "assumed of the table": fit["remarks"] or "nothing",
        "suspicious in the table": fit["warnings"] or "nothing",
        "averaging of checkpoints": "none here; each row as the table has it",
    }


def _fitting(config: FitConfig, fit: dict) -> dict[str, Any]:
    least_squares = fit["method"] != "bayes"
    items: dict[str, Any] = {"method": fit["method"], "seed": config.seed}
    if least_squares:
        items |= {
            "objective": OBJECTIVES[config.objective],
            "δ": config.huber_delta if config.objective == "huber_log" else "none",
            "optimiser": OPTIMISERS[config.objective],
            "starts": f"{fit['n_starts']}, {fit['n_agreeing']} of them reached the optimum",
            "objective at the optimum": fit["objective"],
            "gradient norm": fit["grad_norm"],
            "status": fit["status"],
            "reasons": fit["reasons"] or "none",
        }
    if config.n_bootstrap:
        items["bootstrap"] = f"{config.n_bootstrap} resamples of whole {config.resample}s"
    if fit["gate"] is not None:
        items["sampler"] = f"NUTS, {config_lib.to_plain(config.nuts)}"
        items["convergence gate"] = "passed" if fit["gate"]["passed"] else f"FAILED: {fit['gate']['failures']}"
    return items | {"parameters": fit["params"]}


def _goodness(fit: dict) -> dict[str, Any]:
    items = {f"{split} rows": values for split, values in fit["metrics"].items() if values is not None}
    if fit["metrics"]["holdout"] is None:
        items["extrapolation"] = "no rows held out: configs/compare_laws.py scores this law on sizes left out"
    for name, entry in (fit["intervals"] or {}).items():
        interval = f"90 % {entry['lo90']:.6g} to {entry['hi90']:.6g}, {fit['intervals_from']}"
        items[name] = f"{entry['median']:.6g} ({interval})"
    for name, entry in (fit["quantities"] or {}).items():
        if entry["estimate"] is not None:
            items[f"{name}, least squares"] = f"{entry['estimate']:.6g}"
        if entry.get("lo90") is not None:
            interval = f"90 % {entry['lo90']:.6g} to {entry['hi90']:.6g}, {fit['intervals_from']}"
            items[f"{name}, median"] = f"{entry['median']:.6g} ({interval})"
        if "note" in entry:
            items[name] = entry["note"]
    return items


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
