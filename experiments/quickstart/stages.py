"""The stages of the quickstart: each has a directory of its own and is skipped where it is done."""

import concurrent.futures
import dataclasses
import multiprocessing
import signal
import time
from pathlib import Path

import pandas as pd

from experiments import fit, prepare_data, select, sweep, time_decode
from experiments.quickstart import page
from experiments.quickstart.config import Config
from ie_scaling.architecture import Architecture
from ie_scaling.corpus import manifest, prepare
from ie_scaling.running import diagnostic, runner
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.running.progress import say
from ie_scaling.search import candidates
from ie_scaling.search.candidate_latency import Bound

N_STAGES = 7


def run(config: Config, directory: Path) -> list[Diagnostic]:
    """Do what is not done yet, and return the diagnostics of every stage.

    Raises:
      InputError: bad input, or a latency bound that no candidate meets.
    """
    clock = Clock()
    clock.begin("text: standard library to tokens")
    diagnostics = runner.run(prepare_data, config.recipe.corpus, directory / "corpus")
    say(prepare.describe(manifest.load_sealed(directory / "corpus")))

    clock.begin(f"sweep: train {len(config.runs)} decoders")
    diagnostics += runner.run(sweep, sweep_config(config, config.runs), directory / "sweep")

    clock.begin(f"latency: time {len(config.architectures)} shapes")
    diagnostics += runner.run(time_decode, decode_config(config), directory / "latency")

    clock.begin(f"laws: fit {', '.join(config.laws)} by least squares and by NUTS")
    diagnostics += _fit(config, directory)

    clock.begin(f"selection: rank {len(config.candidates)} candidates")
    for law in config.laws:
        diagnostics += _select(config, law, directory)
    roles = choose_tests(directory / "select" / config.decision_law)

    clock.begin("test: train the recommended shape, a runner-up and a poor one")
    slowest_first = sorted(roles, key=lambda name: -Architecture.parse(name).n_layers)  # side by side, none waits
    tested = tuple(f"{name}@{config.candidate_tokens}" for name in slowest_first)
    diagnostics += runner.run(sweep, sweep_config(config, tested), directory / "test")

    clock.begin("report")
    page.write(config, directory, roles, diagnostic.lines(diagnostics))
    return diagnostics


def decode_config(config: Config) -> time_decode.Config:
    """How every shape of the study is timed."""
    return dataclasses.replace(config.decode, architectures=config.architectures)


def sweep_config(config: Config, runs: tuple[str, ...]) -> sweep.Config:
    """The sweep of these runs over the study's recipe."""
    return sweep.Config(runs=runs, n_parallel=config.n_parallel, recipe=config.recipe, runtime=config.runtime)


def _fit(config: Config, directory: Path) -> list[Diagnostic]:
    """Every law; side by side, each needs a process of its own: NumPyro traces one model a process at a time."""
    runs = str(directory / "sweep" / "runs.csv")
    configs = [dataclasses.replace(config.fit, runs=runs, law=law) for law in config.laws]
    directories = [directory / "fit" / law for law in config.laws]
    if config.n_parallel > 1:
        context = multiprocessing.get_context("spawn")
        ignore = (signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; this process ends the others
        with concurrent.futures.ProcessPoolExecutor(config.n_parallel, context, signal.signal, ignore) as pool:
            by_law = list(pool.map(_fit_one, configs, directories))
    else:
        by_law = list(map(_fit_one, configs, directories))
    return [entry for diagnostics in by_law for entry in diagnostics]


def _fit_one(config: fit.Config, directory: Path) -> list[Diagnostic]:
    return runner.run(fit, config, directory)


def _select(config: Config, law: str, directory: Path) -> list[Diagnostic]:
    select_config = dataclasses.replace(
        config.select,
        fit=str(directory / "fit" / law),
        latency=str(directory / "latency" / "latency.csv"),
        candidates=config.candidates,
        n_tokens=float(config.candidate_plan(config.candidates[0]).n_trained_tokens),
    )
    select_config, raised = with_a_bound_that_is_met(select_config)
    return raised + runner.run(select, select_config, directory / "select" / law)


def with_a_bound_that_is_met(config: select.Config) -> tuple[select.Config, list[Diagnostic]]:
    """The configuration, its relative bound raised to what some candidate meets, and a warning where it was raised.

    On a machine that does other work at the same time, one request in ten can take several times as long as the next:
    then no shape keeps within a bound that a quiet machine meets, and the study goes on under a wider one.
    """
    if config.max_latency_ratio is None:
        return config, []
    latency = candidates.read(config, 1, config.latency).latency
    needed = Bound(ratio=config.max_latency_ratio).needed(latency, config.min_p_feasible)
    if needed <= config.max_latency_ratio:
        return config, []
    raised = float(f"{1.05 * needed:.2g}")
    message = (
        f"no shape meets it with probability {config.min_p_feasible:g} on so busy a machine; raised to {raised:g} ×"
    )
    subject = f"latency bound {config.max_latency_ratio:g} × the fastest"
    warning = Diagnostic(Kind.LATENCY, subject, message)
    return dataclasses.replace(config, max_latency_ratio=max(raised, needed)), [warning]


def choose_tests(directory: Path) -> dict[str, str]:
    """The three shapes to train, by name, with the reason for each, from the directory of a selection.

    The recommended one, the next best (feasible, where there is one), and the one of highest predicted loss.
    """
    table = pd.read_csv(directory / "candidates.csv")
    best = table.loc[table["recommended"], "architecture"].iloc[0]
    others = table[table["architecture"] != best]
    next_best = others.sort_values(["expected_regret", "loss_mean"], na_position="last")["architecture"].iloc[0]
    rest = others[others["architecture"] != next_best]
    poor = rest.sort_values("loss_mean")["architecture"].iloc[-1]
    return {best: "recommended", next_best: "runner-up", poor: "rated poor"}


class Clock:
    """Announces each stage and how long the one before took."""

    def __init__(self) -> None:
        self._start = self._stage_start = time.monotonic()
        self._number = 0

    def begin(self, title: str) -> None:
        """Start the next stage."""
        now = time.monotonic()
        self._number += 1
        since = f"; {now - self._stage_start:.0f} s for the last stage" if self._number > 1 else ""
        say(f"[{self._number}/{N_STAGES}] {title}  ({now - self._start:.0f} s so far{since})")
        self._stage_start = now
