"""A whole study: text → sweep → latency → laws → selection → test of the selection → report.html."""

from pathlib import Path

import pandas as pd

from ie_scaling.running import files
from ie_scaling.study import stages
from ie_scaling.study.config import StudyConfig as Config
from ie_scaling.train import pricing
from ie_scaling.train.sweep_config import SweepConfig

inputs_of = stages.inputs_of

SHOWN = ("architecture", "loss_mean", "loss_lo90", "loss_hi90", "p_best", "p_top_k", "expected_regret")
SHOWN += ("latency_mean", "p_feasible", "recommended")


def main(config: Config, directory: Path) -> list[str]:
    """Run the study, and print the candidates, the recommendation and how it fared."""
    failures = stages.run(config, directory)
    summary = files.read_json(directory / "summary.json")
    table = pd.read_csv(directory / "select" / config.decision_law / "candidates.csv").sort_values("loss_mean")
    test = pd.read_csv(directory / "test.csv")
    print(table[list(SHOWN)].to_string(index=False, float_format=lambda value: f"{value:.4g}"))
    print(f"\n{summary['recommendation']}\n")
    print(test.to_string(index=False, float_format=lambda value: f"{value:.4f}"))
    print(f"\nunigram entropy {summary['unigram_entropy']:.3f}, lowest loss {summary['lowest_loss']:.3f} nats/token")
    if noise := summary["seed_noise"]:
        print(f"sd over seeds {noise['sd_over_seeds']:.4f}, over shapes of one size {noise['sd_over_shapes']:.4f}")
    print(f"report: {directory / 'report.html'}")
    return failures


def check(config: Config, directory: Path) -> list[str]:
    """What the study would warn of; raises what it would refuse."""
    return stages.check(config, directory)


def estimate(config: Config) -> str:
    """The runs with their cost, the three tests at their dearest, and the sum."""
    runs = _sweep(config).plans
    candidates = [config.candidate_plan(name) for name in config.candidates]
    tests = pricing.price_runs(candidates).nlargest(3, "training_flops")
    table = pd.concat([pricing.price_runs(runs), tests], ignore_index=True)
    return f"{pricing.describe_runs(table)}, and two minutes of compiling, timing and sampling"


def _sweep(config: Config) -> SweepConfig:
    return SweepConfig(runs=config.runs, n_parallel=config.n_parallel, recipe=config.recipe, runtime=config.runtime)
