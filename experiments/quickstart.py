"""A whole study: text → sweep → latency → laws → selection → test of the selection → report.html."""

from pathlib import Path

import pandas as pd

from ie_scaling import accounting, files
from ie_scaling.study import stages
from ie_scaling.study.config import StudyConfig as Config
from ie_scaling.train import sweep
from ie_scaling.train.pricing import CPU_FLOPS_PER_S
from ie_scaling.train.sweep_config import SweepConfig

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


def estimate(config: Config) -> str:
    """The runs with their cost, the tests, and the sum."""
    table = sweep.price(SweepConfig(runs=config.runs, recipe=config.recipe))
    length = config.recipe.sequence_length
    plans = [config.candidate_plan(name) for name in config.candidates]
    tests = sorted(accounting.training_flops(plan.architecture, plan.n_tokens, length) for plan in plans)[-3:]
    total = float(table["training_flops"].sum() + sum(tests))
    return (
        f"{table.to_string(index=False)}\nsweep and three tests: {total:.3g} FLOPs, about "
        f"{total / CPU_FLOPS_PER_S:.0f} s, and about two minutes of compiling, timing and sampling, on two cores"
    )
