"""A whole study: text → sweep → latency → laws → selection → test of the selection → report.html."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.quickstart.config import Config
from ie_scaling.running import files, identity, workdir
from ie_scaling.running.diagnostic import Diagnostic
from ie_scaling.shapes import lookup

if TYPE_CHECKING:
    from experiments import sweep

SHOWN = ("architecture", "loss_mean", "loss_lo90", "loss_hi90", "p_best", "p_top_k", "expected_regret")
SHOWN += ("latency_mean", "p_feasible", "recommended")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Quickstart:
    """Diagnostics of all stages; the results are in the files of each."""

    diagnostics: list[Diagnostic]


def placed(config: Config, directory: Path) -> Config:
    """The configuration with its corpus inside the work directory."""
    corpus = dataclasses.replace(config.recipe.corpus, directory=str(directory / "corpus"))
    return dataclasses.replace(config, recipe=dataclasses.replace(config.recipe, corpus=corpus))


def inputs_of(config: Config) -> workdir.Inputs:
    """What it reads, by name: the config.json files of its shapes. Its text is compared with the manifest's.

    Raises:
      InputError: the corpus was made from another text; with another text it is another study.
    """
    from ie_scaling.corpus import prepare

    if workdir.is_finished(Path(config.recipe.corpus.directory)):
        prepare.check(config.recipe.corpus)
    return identity.named("shapes", lookup.files_of(config.shape_specs))


def load(config: Config) -> sweep.Config:
    """The runs of the sweep; the laws and the cases to time are checked.

    Raises:
      InputError: an unknown law, or a case that does not fit in memory.
    """
    from experiments import time_decode
    from experiments.quickstart import stages
    from ie_scaling.laws import forms

    for law in config.laws:
        forms.get_law(law, config.fit.tie, config.fit.count)
    time_decode.load(stages.decode_config(config))
    return stages.sweep_config(config, config.runs)


def preview(_: Config, loaded: sweep.Config) -> list[Diagnostic]:
    """What the text and this machine are warned of.

    Raises:
      InputError: a text that cannot be tokenized, or that the shapes cannot be trained on.
    """
    from experiments import sweep

    return sweep.load(loaded)


def resume(config: Config, _: sweep.Config, directory: Path) -> Quickstart:
    """Do the stages that are not done yet, then write test.csv, summary.json and report.html with its figures.

    Raises:
      InputError: bad input, or a latency bound that no candidate meets.
    """
    from experiments.quickstart import stages

    return Quickstart(diagnostics=stages.run(config, directory))


def show(directory: Path) -> None:
    """The candidates, the recommendation and how it fared."""
    import pandas as pd

    decision_law = files.read_json(directory / "config.json")["decision_law"]
    summary = files.read_json(directory / "summary.json")
    table = pd.read_csv(directory / "select" / decision_law / "candidates.csv").sort_values("loss_mean")
    test = pd.read_csv(directory / "test.csv")
    print(table[list(SHOWN)].to_string(index=False, float_format=lambda value: f"{value:.4g}"))
    print(f"\n{summary['recommendation']}\n")
    print(test.to_string(index=False, float_format=lambda value: f"{value:.4f}"))
    print(f"\nunigram entropy {summary['unigram_entropy']:.3f}, lowest loss {summary['lowest_loss']:.3f} nats/token")
    if noise := summary["seed_noise"]:
        print(f"sd over seeds {noise['sd_over_seeds']:.4f}, over shapes of one size {noise['sd_over_shapes']:.4f}")
    print(f"report: {directory / 'report.html'}")


def estimate(config: Config, loaded: sweep.Config) -> str:
    """The runs with their cost, the three tests at their dearest, and the sum."""
    import pandas as pd

    from ie_scaling.train import pricing

    candidates = [config.candidate_plan(name) for name in config.candidates]
    tests = pricing.price_runs(candidates).nlargest(3, "training_flops")
    table = pd.concat([pricing.price_runs(loaded.plans), tests], ignore_index=True)
    return f"{pricing.describe_runs(table)}, and two minutes of compiling, timing and sampling"
