"""A whole study: text → sweep → latency → laws → selection → test of the selection → report.html.

Each stage has a directory of its own and is skipped where it is done.
"""

import concurrent.futures
import dataclasses
import multiprocessing
import signal
import time
from pathlib import Path

import pandas as pd

from experiments import fit, select
from ie_scaling.architecture import Architecture
from ie_scaling.corpus import prepare
from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.latency import benchmark
from ie_scaling.latency.config import TimeDecodeConfig
from ie_scaling.laws import forms
from ie_scaling.laws.config import FitConfig
from ie_scaling.running import config as config_lib
from ie_scaling.running import diagnostic, files, identity, runner, stopping, workdir
from ie_scaling.running.diagnostic import Kind
from ie_scaling.running.progress import say
from ie_scaling.search import selection
from ie_scaling.search.candidate_latency import Bound
from ie_scaling.search.config import SelectConfig
from ie_scaling.shapes import lookup
from ie_scaling.study import summary
from ie_scaling.study.config import StudyConfig as Config
from ie_scaling.train import preflight, pricing, sweep
from ie_scaling.train.config import RecipeConfig
from ie_scaling.train.sweep_config import SweepConfig

N_STAGES = 7
SHOWN = ("architecture", "loss_mean", "loss_lo90", "loss_hi90", "p_best", "p_top_k", "expected_regret")
SHOWN += ("latency_mean", "p_feasible", "recommended")


def inputs_of(config: Config) -> workdir.Inputs:
    """What it reads, by name: the config.json files of its shapes."""
    return identity.named("shapes", lookup.files_of(config.shape_specs))


def main(config: Config, directory: Path) -> list[str]:
    """Run the study, and print the candidates, the recommendation and how it fared."""
    failures = run(config, directory)
    found = files.read_json(directory / "summary.json")
    table = pd.read_csv(directory / "select" / config.decision_law / "candidates.csv").sort_values("loss_mean")
    test = pd.read_csv(directory / "test.csv")
    print(table[list(SHOWN)].to_string(index=False, float_format=lambda value: f"{value:.4g}"))
    print(f"\n{found['recommendation']}\n")
    print(test.to_string(index=False, float_format=lambda value: f"{value:.4f}"))
    print(f"\nunigram entropy {found['unigram_entropy']:.3f}, lowest loss {found['lowest_loss']:.3f} nats/token")
    if noise := found["seed_noise"]:
        print(f"sd over seeds {noise['sd_over_seeds']:.4f}, over shapes of one size {noise['sd_over_shapes']:.4f}")
    print(f"report: {directory / 'report.html'}")
    return failures


def run(config: Config, directory: Path) -> list[str]:
    """Run what is not done yet, write report.html and summary.json, and return the failed diagnostics.

    Raises:
      ValueError: bad input, or a latency bound that no candidate meets.
    """
    resolved = {"experiment": "quickstart"} | config_lib.to_plain(config)
    if not workdir.is_done(directory, resolved, inputs=inputs_of(config)):
        with workdir.opened(directory, resolved, inputs=inputs_of(config)):
            failures = _run_stages(config, directory)
            diagnostic.write(directory, diagnostic.each(Kind.STAGE, failures))
    elif workdir.is_finished(directory / "corpus"):
        prepare.check(_text(config, directory))  # of another text it is another study
    return diagnostic.lines(diagnostic.read(directory))


def check(config: Config, directory: Path) -> list[str]:
    """What the study would warn of before its first fit; raises what it would refuse. Nothing is written."""
    for law in config.laws:
        forms.get_law(law, config.fit.tie, config.fit.count)
    benchmark.checked_cases(_decode(config))
    recipe = dataclasses.replace(config.recipe, corpus=_text(config, directory))
    return preflight.check_sweep(_sweep(config, config.runs, recipe))


def _text(config: Config, directory: Path) -> CorpusConfig:
    return dataclasses.replace(config.recipe.corpus, directory=str(directory / "corpus"))


def _decode(config: Config) -> TimeDecodeConfig:
    return dataclasses.replace(config.decode, architectures=config.architectures)


def _sweep(config: Config, runs: tuple[str, ...], recipe: RecipeConfig) -> SweepConfig:
    return SweepConfig(runs=runs, n_parallel=config.n_parallel, recipe=recipe, runtime=config.runtime)


def _run_stages(config: Config, directory: Path) -> list[str]:
    clock = Stages()
    clock.begin("text: standard library to tokens")
    text = _text(config, directory)
    recipe = dataclasses.replace(config.recipe, corpus=text)
    with stopping.broken_off():
        say(prepare.describe(prepare.prepare(text)))

    clock.begin(f"sweep: train {len(config.runs)} decoders")
    sweep.run(_sweep(config, config.runs, recipe), directory / "sweep")

    clock.begin(f"latency: time {len(config.architectures)} shapes")
    failures = benchmark.run(_decode(config), directory / "latency")

    clock.begin(f"laws: fit {', '.join(config.laws)} by least squares and by NUTS")
    failures += _fit(config, directory)

    clock.begin(f"selection: rank {len(config.candidates)} candidates")
    for law in config.laws:
        failures += _select(config, law, directory)
    chosen = chosen_for_test(directory / "select" / config.decision_law)

    clock.begin("test: train the recommended shape, a runner-up and a poor one")
    slowest_first = sorted(chosen, key=lambda name: -Architecture.parse(name).n_layers)  # side by side, none waits
    tested = tuple(f"{name}@{config.candidate_tokens}" for name in slowest_first)
    sweep.run(_sweep(config, tested, recipe), directory / "test")

    clock.begin("report")
    failures = list(dict.fromkeys(failures))
    summary.write(config, directory, chosen, failures)
    return failures


def _fit(config: Config, directory: Path) -> list[str]:
    """Every law; side by side, each needs a process of its own: NumPyro traces one model a process at a time."""
    runs = str(directory / "sweep" / "runs.csv")
    fits = [dataclasses.replace(config.fit, runs=runs, law=law) for law in config.laws]
    places = [directory / "fit" / law for law in config.laws]
    if config.n_parallel > 1:
        context = multiprocessing.get_context("spawn")
        ignore = (signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; this process ends the others
        with concurrent.futures.ProcessPoolExecutor(config.n_parallel, context, signal.signal, ignore) as pool:
            found = list(pool.map(_fit_one, fits, places))
    else:
        found = [_fit_one(each, place) for each, place in zip(fits, places, strict=True)]
    return [failure for failures in found for failure in failures]


def _fit_one(config: FitConfig, directory: Path) -> list[str]:
    return diagnostic.lines(runner.run(fit, config, directory))


def _select(config: Config, law: str, directory: Path) -> list[str]:
    chosen = dataclasses.replace(
        config.select,
        fit=str(directory / "fit" / law),
        latency=str(directory / "latency" / "latency.csv"),
        candidates=config.candidates,
        n_tokens=float(config.candidate_plan(config.candidates[0]).n_trained_tokens),
    )
    chosen, warnings = with_a_bound_that_is_met(chosen)
    return warnings + diagnostic.lines(runner.run(select, chosen, directory / "select" / law))


def with_a_bound_that_is_met(config: SelectConfig) -> tuple[SelectConfig, list[str]]:
    """The configuration, its relative bound raised to what some candidate meets, and a warning where it was raised.

    On a machine that does other work at the same time, one request in ten can take several times as long as the next:
    then no shape keeps within a bound that a quiet machine meets, and the study goes on under a wider one.
    """
    if config.max_latency_ratio is None:
        return config, []
    latency = selection.candidates_of(config, 1).latency
    needed = Bound(ratio=config.max_latency_ratio).needed(latency, config.min_p_feasible)
    if needed <= config.max_latency_ratio:
        return config, []
    raised = float(f"{1.05 * needed:.2g}")
    warning = (
        f"latency bound {config.max_latency_ratio:g} × the fastest: no shape meets it with probability "
        f"{config.min_p_feasible:g} on so busy a machine; raised to {raised:g} ×"
    )
    return dataclasses.replace(config, max_latency_ratio=max(raised, needed)), [warning]


def chosen_for_test(directory: Path) -> dict[str, str]:
    """The three shapes to train, by name, with the reason for each.

    The recommended one, the next best (feasible, where there is one), and the one of highest predicted loss.
    """
    table = pd.read_csv(directory / "candidates.csv")
    best = table.loc[table["recommended"], "architecture"].iloc[0]
    others = table[table["architecture"] != best]
    next_best = others.sort_values(["expected_regret", "loss_mean"], na_position="last")["architecture"].iloc[0]
    rest = others[others["architecture"] != next_best]
    poor = rest.sort_values("loss_mean")["architecture"].iloc[-1]
    return {best: "recommended", next_best: "runner-up", poor: "rated poor"}


class Stages:
    """Announces each stage and how long the one before took."""

    def __init__(self) -> None:
        self._start = self._begun = time.monotonic()
        self._number = 0

    def begin(self, title: str) -> None:
        """Start the next stage."""
        now = time.monotonic()
        self._number += 1
        since = f"; {now - self._begun:.0f} s for the last stage" if self._number > 1 else ""
        say(f"[{self._number}/{N_STAGES}] {title}  ({now - self._start:.0f} s so far{since})")
        self._begun = now


def estimate(config: Config) -> str:
    """The runs with their cost, the three tests at their dearest, and the sum."""
    runs = _sweep(config, config.runs, config.recipe).plans
    candidates = [config.candidate_plan(name) for name in config.candidates]
    tests = pricing.price_runs(candidates).nlargest(3, "training_flops")
    table = pd.concat([pricing.price_runs(runs), tests], ignore_index=True)
    return f"{pricing.describe_runs(table)}, and two minutes of compiling, timing and sampling"
