"""Speed of the posterior beside PyMC's default sampler, on 76 public runs and law `effective`.

  python benchmarks/nuts.py [--repeats=3] [--out=results/nuts_cpu.json]        needs pymc and pytest

Both draw 4 chains of 1,000 + 1,000 from one posterior (tests/laws/bayes/test_independent_samplers.py holds it is one),
each in a process of its own, one after the other, with nothing compiled before. PyMC has its defaults but for 4 chains,
two at a time; it samples each model's effect, as v = u/τ, where ours integrates it out and draws it after. Effective
draws are the least bulk ESS of the coordinates of law and noise, by one estimator. Ours is timed from a call of the
library to its draws, the least squares it starts from among them; PyMC from the building of its model. Imports are in
neither. Of that, sampling is for ours all but what JAX says it traced and compiled, for PyMC what it reports itself.
Last the whole command, imports and all, from its start to a saved posterior. Nothing is asserted.
"""

import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
import numpy as np
from absl import app, flags

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from ie_scaling.inference import diagnostics  # noqa: E402
from ie_scaling.inference.config import NutsConfig  # noqa: E402
from ie_scaling.laws import forms  # noqa: E402
from ie_scaling.laws.bayes import sampler  # noqa: E402
from ie_scaling.laws.least_squares import solver  # noqa: E402
from ie_scaling.laws.observations import Observations  # noqa: E402
from ie_scaling.laws.problem import pose  # noqa: E402
from ie_scaling.running import environment, files, markdown  # noqa: E402
from ie_scaling.tables import run_table  # noqa: E402

_OUT = flags.DEFINE_string("out", "", "Write the figures to this JSON file.")
_REPEATS = flags.DEFINE_integer("repeats", 1, "Runs of each, seeds 0, 1 … in turn; medians are compared.")
_ONE = flags.DEFINE_enum("one", "", ["", "ours", "pymc"], "Internal: sample once and print the figures.")
_SEED = flags.DEFINE_integer("seed", 0, "Internal: of that run.")
TABLE = ROOT / "data" / "bian2025.csv"
CONFIG = NutsConfig(n_chains=4, n_warmup=1000, n_samples=1000, max_samples=1000)
N_PROCESSES = 2  # of PyMC's
OTHERS = ("pymc", "pytensor")


def main(_) -> None:
    """Run both samplers and the command, and print the table."""
    if _ONE.value:
        print(json.dumps({"ours": sample_ours, "pymc": sample_pymc}[_ONE.value](_SEED.value)))
        return
    found = {"ours": [], "pymc": [], "command": []}
    for seed in range(_REPEATS.value):
        found["ours"].append(measure("ours", seed))
        found["pymc"].append(measure("pymc", seed))
        found["command"].append(time_command(seed))
    found |= {"environment": environment.describe(), "date": time.strftime("%Y-%m-%d")}
    found["environment"]["packages"] |= {name: importlib.metadata.version(name) for name in OTHERS}
    report(found)
    if _OUT.value:
        files.write_json(Path(_OUT.value), found)


def measure(name: str, seed: int) -> dict:
    """One sampler in a process of its own, with an empty cache of compiled programs."""
    command = [sys.executable, __file__, f"--one={name}", f"--seed={seed}"]
    with tempfile.TemporaryDirectory() as cache:
        variables = os.environ | {"PYTENSOR_FLAGS": f"base_compiledir={cache}"}
        output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=variables).stdout
    return json.loads(output.splitlines()[-1])


def read_rows() -> Observations:
    """The table that everything here samples."""
    return Observations.from_frame(run_table.read_runs(TABLE))


def sample_ours(seed: int) -> dict:
    """Least squares, then `bayes.sample`, compiled meanwhile."""
    law, rows, spans = forms.get_law("effective"), read_rows(), []
    jax.monitoring.register_event_time_span_listener(
        lambda event, start, end, **_: spans.append((start, end)) if "/compile/" in event else None
    )
    began = time.perf_counter()
    problem = pose(law, rows)
    prepared = sampler.prepare(problem, CONFIG)
    samples = sampler.sample(prepared, solver.fit(problem, seed=seed).z_P, seed)
    seconds = time.perf_counter() - began
    draws = np.concatenate([samples.z_CSP, np.stack([*samples.noise.values()], axis=-1)], axis=-1)
    stats = samples.stats
    return describe(draws, stats["diverging"], stats["n_steps"], seconds, seconds - covered_s(spans))


def covered_s(spans: list[tuple[float, float]]) -> float:
    """Seconds that lie within any of the spans, which may overlap: one program is traced within another."""
    total, reached = 0.0, -np.inf
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def sample_pymc(seed: int) -> dict:
    """`pymc.sample` on the model that the tests compare with ours."""
    import pymc as pm
    from tests.laws.test_independent_samplers import pymc_model

    rows = read_rows()
    began = time.perf_counter()
    with pymc_model(rows):
        drawn = pm.sample(chains=CONFIG.n_chains, cores=N_PROCESSES, random_seed=seed, progressbar=False)
    seconds = time.perf_counter() - began
    draws = np.concatenate([drawn.posterior[site].to_numpy() for site in ("z", "noise")], axis=-1)
    stats = {name: drawn.sample_stats[name].to_numpy() for name in ("diverging", "n_steps")}
    return describe(draws, stats["diverging"], stats["n_steps"], seconds, drawn.posterior.attrs["sampling_time"])


def describe(
    draws_CSQ: np.ndarray, diverging_CS: np.ndarray, n_steps_CS: np.ndarray, seconds: float, sampling_s: float
) -> dict:
    """The figures of one run."""
    ess = float(diagnostics.ess_bulk(draws_CSQ).min())
    return {
        "seconds": seconds,
        "sampling_s": sampling_s,
        "ess": ess,
        "ess_per_s": ess / seconds,
        "ess_per_s_of_sampling": ess / sampling_s,
        "max_rhat": float(diagnostics.rhat(draws_CSQ).max()),
        "n_divergences": int(diverging_CS.sum()),
        "steps_per_draw": float(n_steps_CS.mean()),
    }


def time_command(seed: int) -> dict:
    """Seconds of `run.py` from its start to a saved posterior, and to its end."""
    with tempfile.TemporaryDirectory() as folder:
        flags_given = ["--config=configs/fit.py", "--config.method=bayes", f"--config.seed={seed}"]
        command = [sys.executable, "run.py", *flags_given, f"--workdir={folder}/fit"]
        began = time.time()  # the clock of files
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
        ended = time.time()
        saved = (Path(folder) / "fit" / "posterior.nc").stat().st_mtime
        gate = files.read_json(Path(folder) / "fit" / "diagnostics.json")["bayes"]
        keys = ("passed", "seconds", "min_ess_bulk", "max_rhat", "n_divergences")
        return {"to_posterior_s": saved - began, "to_end_s": ended - began} | {key: gate[key] for key in keys}


def report(found: dict) -> None:
    """The table of medians, with how many times better ours is where that has a meaning."""
    lines = {
        "seconds in all": ("seconds", "{:.1f}", True),
        "of which sampling, with warm-up": ("sampling_s", "{:.1f}", True),
        "effective draws of 4,000": ("ess", "{:.0f}", False),
        "effective draws a second": ("ess_per_s", "{:.1f}", False),
        "effective draws a second of sampling": ("ess_per_s_of_sampling", "{:.1f}", False),
        "gradients a draw": ("steps_per_draw", "{:.0f}", True),
        "max R-hat": ("max_rhat", "{:.4f}", None),
        "divergences": ("n_divergences", "{:.0f}", None),
    }
    rows = []
    for name, (key, form, less_is_better) in lines.items():
        ours, theirs = (statistics.median(run[key] for run in found[side]) for side in ("ours", "pymc"))
        ratio = "" if less_is_better is None else f"{theirs / ours if less_is_better else ours / theirs:.1f}"
        rows.append([name, form.format(ours), form.format(theirs), ratio])
    print(markdown.table(["", "ours", f"PyMC {found['environment']['packages']['pymc']}", "ratio"], rows), end="")
    runs = found["command"]
    to_posterior, to_end = (statistics.median(run[key] for run in runs) for key in ("to_posterior_s", "to_end_s"))
    n_passed = sum(run["passed"] for run in runs)
    print(f"run.py, method bayes: {to_posterior:.1f} s from its start to a saved posterior, {to_end:.1f} s to its end;")
    print(f"  {n_passed} of {len(runs)} passed the gate")


if __name__ == "__main__":
    app.run(main)
