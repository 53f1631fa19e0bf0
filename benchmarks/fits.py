"""Speed of least squares beside scipy: the grid of starts, the bootstrap, and a table of 100,000 rows.

  python benchmarks/fits.py [--out=results/fits_cpu.json] [--quick]

Ours is timed from a call of the library to its answer with every compiled program thrown away before, so compilation
is in it; imports are not, on either side. Scipy gets a hand-written NumPy objective; where its gradient is analytic
that is the best case for it, where it is left to finite differences it is what a loop usually is. Nothing is asserted.
"""

import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
from absl import app, flags
from scipy import optimize

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from ie_scaling.laws import forms  # noqa: E402
from ie_scaling.laws.least_squares import descent, solver  # noqa: E402
from ie_scaling.laws.observations import Observations  # noqa: E402
from ie_scaling.laws.problem import pose  # noqa: E402
from ie_scaling.running import environment, files  # noqa: E402
from ie_scaling.tables import run_table  # noqa: E402

_OUT = flags.DEFINE_string("out", "", "Write the figures to this JSON file.")
_QUICK = flags.DEFINE_bool("quick", False, "A tenth of scipy's work, scaled up.")
_LARGE = flags.DEFINE_integer("large", 0, "Internal: only fit a table of so many rows and print the cost.")
DELTA = 1e-3
TIGHT = {"ftol": 1e-15, "gtol": 1e-13, "maxiter": 10_000, "maxfun": 50_000, "maxls": 50}
OURS_REPEATS = 5


def main(_) -> None:
    """Run every comparison and print the table."""
    if _LARGE.value:
        print(json.dumps(fit_large(_LARGE.value)))
        return
    found = {"grid": compare_grid(), "bootstrap": compare_bootstrap(), "large": measure_large(100_000)}
    found |= {"environment": environment.describe(), "date": time.strftime("%Y-%m-%d")}
    report(found)
    if _OUT.value:
        files.write_json(Path(_OUT.value), found)


def read(name: str, where: str = "") -> Observations:
    """A shipped table."""
    return Observations.from_frame(run_table.read_runs(ROOT / "data" / f"{name}.csv", where))


def timed_from_cold(work) -> tuple[float, object]:
    """Seconds, the median over repeats that each compile anew, and the last answer."""
    seconds = []
    for _ in range(OURS_REPEATS):
        jax.clear_caches()
        began = time.perf_counter()
        answer = work()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds), answer


def huber(residual: np.ndarray, weight: np.ndarray | float = 1.0) -> tuple[float, np.ndarray]:
    """Weighted sum, and its derivative with respect to each residual."""
    size = np.abs(residual)
    value = np.sum(weight * np.where(size <= DELTA, 0.5 * residual**2, DELTA * (size - 0.5 * DELTA)))
    return float(value), weight * np.clip(residual, -DELTA, DELTA)


def chinchilla_objective(rows: Observations):
    """Value and gradient in (ln A, ln B, ln E, α, β), as arXiv 2203.15556 and 2404.10102 have it."""
    log_n, log_d, log_loss = np.log(rows.features.n_total), np.log(rows.features.n_tokens), rows.log_loss_R

    def objective(x):
        parts = np.stack([x[0] - x[3] * log_n, x[1] - x[4] * log_d, np.full_like(log_n, x[2])])
        top = parts.max(axis=0)
        weights = np.exp(parts - top)
        total = weights.sum(axis=0)
        value, slope = huber(top + np.log(total) - log_loss)
        n_part, d_part, e_part = slope * weights / total
        gradient = [n_part.sum(), d_part.sum(), e_part.sum(), -(n_part * log_n).sum(), -(d_part * log_d).sum()]
        return value, np.array(gradient)

    return objective


def compare_grid() -> dict:
    """The optimum of 240 rows: Hoffmann's 4,500 L-BFGS starts against `least_squares.fit`."""
    rows = read("chinchilla", "fit_set == 'besiroglu240'")
    objective = chinchilla_objective(rows)
    logs, exponents = np.arange(0, 30, 5), np.arange(0, 2.5, 0.5)
    starts = np.array(list(itertools.product(logs, logs, np.arange(-1, 1.5, 0.5), exponents, exponents)))
    if _QUICK.value:
        starts = starts[np.random.default_rng(0).permutation(len(starts))[: len(starts) // 10]]
    found, seconds = {}, {}
    for name, options in (("default", {}), ("tight", TIGHT)):
        began = time.perf_counter()
        ends = [optimize.minimize(objective, start, jac=True, method="L-BFGS-B", options=options) for start in starts]
        seconds[name] = (time.perf_counter() - began) * 4500 / len(starts)
        found[name] = min(end.fun for end in ends)
    law = forms.get_law("chinchilla")
    ours_s, fitted = timed_from_cold(lambda: solver.fit(pose(law, rows), huber_delta=DELTA, n_starts=64))
    return {
        "scipy_starts_run": len(starts),
        "scipy_s": seconds,
        "scipy_objective": found,
        "ours_s": ours_s,
        "ours_objective": fitted.objective,
        "relative_gap": {name: fitted.objective / value - 1 for name, value in found.items()},
        "ratio": {name: value / ours_s for name, value in seconds.items()},
    }


def effective_objective(rows: Observations):
    """Value and gradient of law `effective`, with weights, in (ln E, ln A', α, ln B', β, ln κ, ln R*, ω)."""
    x, log_loss = rows.features, rows.log_loss_R
    log_d, log_ratio = np.log(x.n_tokens) - 22, np.log(x.aspect_ratio)

    def objective(p, weight):
        n_params = x.n_non_embedding + p[7] * x.n_embedding
        log_n = np.log(n_params / 1e8)
        e, n_part, d_part = np.exp(p[0]), np.exp(p[1] - p[2] * log_n), np.exp(p[3] - p[4] * log_d)
        distance, kappa = log_ratio - p[6], np.exp(p[5])
        total, shape = e + n_part + d_part, 1 + kappa * distance**2
        value, slope = huber(np.log(total) + np.log(shape) - log_loss, weight)
        core, curve = slope / total, slope / shape
        gradient = [
            (core * e).sum(),
            (core * n_part).sum(),
            -(core * n_part * log_n).sum(),
            (core * d_part).sum(),
            -(core * d_part * log_d).sum(),
            (curve * kappa * distance**2).sum(),
            -(curve * 2 * kappa * distance).sum(),
            -(core * n_part * p[2] * x.n_embedding / n_params).sum(),
        ]
        return value, np.array(gradient)

    return objective


def compare_bootstrap(n_draws: int = 4000) -> dict:
    """4,000 refits to resampled models of 76 rows, each side from the full table's fit."""
    rows, law = read("bian2025"), forms.get_law("effective")
    objective = effective_objective(rows)
    fitted = solver.fit(pose(law, rows), huber_delta=DELTA, n_starts=64)
    d = fitted.derived
    start = [np.log(d["E"]), np.log(d["A"]) - d["alpha"] * np.log(1e8), d["alpha"]]
    start += [np.log(d["B"]) - d["beta"] * 22, d["beta"], np.log(d["kappa"]), np.log(d["R_star"]), d["omega"]]
    n_models = len(rows.model_ids)
    counts = np.random.default_rng(0).multinomial(n_models, np.full(n_models, 1 / n_models), size=n_draws)
    weights = counts[:, rows.model_R].astype(float)
    ours_s, z_WP = timed_from_cold(lambda: solver.bootstrap(fitted, n_draws))
    began = time.perf_counter()
    solver.bootstrap(fitted, n_draws)
    compiled_s = time.perf_counter() - began
    data = descent.Data.of(fitted.problem)
    with jax.enable_x64(True):
        each = jax.vmap(lambda z, w: descent.objective(law, data, z, w, DELTA))
        ours = np.asarray(each(z_WP, weights))
    bounds = [(None, np.log(rows.loss_R.min())), *[(None, None)] * 6, (0, 1)]
    variants = {
        "finite differences, default tolerance": (False, 1.0, {}, 400),
        "finite differences, objective scaled by 1e4": (False, 1e4, {}, 200),
        "analytic gradient, to the optimum": (True, 1e4, {"ftol": 1e-13, "gtol": 1e-9} | _rest(TIGHT), 400),
    }
    scipy = {}
    for name, (analytic, scale, options, n_timed) in variants.items():
        n_timed = n_timed // (4 if _QUICK.value else 1)
        if analytic:
            function = lambda p, w, scale=scale: tuple(scale * part for part in objective(p, w))  # noqa: E731
        else:
            function = lambda p, w, scale=scale: scale * objective(p, w)[0]  # noqa: E731
        seconds, gaps = [], []
        for draw in range(n_timed):
            began = time.perf_counter()
            end = optimize.minimize(
                function, start, (weights[draw],), "L-BFGS-B", jac=analytic or None, bounds=bounds, options=options
            )
            seconds.append(time.perf_counter() - began)
            gaps.append(end.fun / scale / ours[draw] - 1)
        scipy[name] = {
            "refits_timed": n_timed,
            "s_for_all": statistics.mean(seconds) * n_draws,
            "ratio": statistics.mean(seconds) * n_draws / ours_s,
            "objective_above_ours_median": float(np.median(gaps)),
            "objective_above_ours_p90": float(np.quantile(gaps, 0.9)),
            "ours_beaten_by_1e-8": float(np.mean(np.array(gaps) < -1e-8)),
        }
    return {"n_draws": n_draws, "ours_s": ours_s, "ours_already_compiled_s": compiled_s, "scipy": scipy}


def _rest(options: dict) -> dict:
    return {name: value for name, value in options.items() if name not in ("ftol", "gtol")}


def measure_large(n_rows: int) -> dict:
    """A fit of so many rows in a process of its own, for its peak memory."""
    command = [sys.executable, __file__, f"--large={n_rows}"]
    output = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ).stdout
    return json.loads(output.splitlines()[-1])


def fit_large(n_rows: int) -> dict:
    """Simulated runs of law `effective` with 1 % noise."""
    rng = np.random.default_rng(0)
    rows = read("bian2025")
    frame = rows.frame.iloc[rng.integers(len(rows), size=n_rows)].reset_index(drop=True)
    frame["n_tokens"] *= np.exp(rng.normal(0, 0.7, n_rows))
    frame["run_id"] = [f"run{i}" for i in range(n_rows)]
    law = forms.get_law("effective")
    truth = solver.fit(pose(law, rows), n_starts=8)
    large = Observations.from_frame(frame)
    loss = np.exp(truth.predict(large.features) + rng.normal(0, 0.01, n_rows))
    large = Observations.from_frame(frame.assign(loss=loss))
    before = _peak_bytes()
    jax.clear_caches()
    began = time.perf_counter()
    fitted = solver.fit(pose(law, large), huber_delta=DELTA, n_starts=64)
    seconds = time.perf_counter() - began
    return {
        "n_rows": n_rows,
        "seconds": seconds,
        "status": fitted.status,
        "grad_norm": fitted.grad_norm,
        "peak_bytes_of_process": _peak_bytes(),
        "peak_bytes_before": before,
        "relative_error": {name: fitted.params[name] / truth.params[name] - 1 for name in ("alpha", "R_star", "omega")},
    }


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def report(found: dict) -> None:
    """The ratio table."""
    grid, bootstrap, large = found["grid"], found["bootstrap"], found["large"]
    print("4,500 L-BFGS starts on 240 rows (chinchilla), analytic gradient, one process")
    for name, seconds in grid["scipy_s"].items():
        gap = grid["relative_gap"][name]
        print(
            f"  scipy {name:8} {seconds:8.1f} s   ours {grid['ours_s']:6.2f} s   ratio {seconds / grid['ours_s']:6.1f}"
            f"   our objective {gap:+.1e} of it"
        )
    print(
        f"{bootstrap['n_draws']} bootstrap refits of effective on 76 rows, ours {bootstrap['ours_s']:.2f} s "
        f"({bootstrap['ours_already_compiled_s']:.2f} s where the fit has compiled it)"
    )
    for name, entry in bootstrap["scipy"].items():
        print(
            f"  scipy {name:44} {entry['s_for_all']:8.1f} s   ratio {entry['ratio']:6.1f}   ends above ours by "
            f"{entry['objective_above_ours_median']:.1e} (median)"
        )
    print(
        f"{large['n_rows']} rows: {large['seconds']:.1f} s, peak {large['peak_bytes_of_process'] / 1e9:.2f} GB "
        f"of the process ({large['peak_bytes_before'] / 1e9:.2f} GB before), {large['status']}"
    )


if __name__ == "__main__":
    app.run(main)
