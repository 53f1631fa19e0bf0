"""Rank shapes by predicted loss at given tokens: which of these should be trained, and how sure is that?"""

from pathlib import Path

import numpy as np
import pandas as pd

from ie_scaling.report import figures
from ie_scaling.running import files
from ie_scaling.search import ranked, space
from ie_scaling.search.config import RankConfig as Config

inputs_of = ranked.inputs_of

SHOWN = ("architecture", "n_params_total", "loss_mean", "loss_lo90", "loss_hi90", "p_best", "p_top_k")
SHOWN += ("expected_rank", "expected_regret", "expected_regret_se", "expected_regret_percent")
N_PRINTED = 20
N_DRAWN = 12


def main(config: Config, directory: Path) -> list[str]:
    """Rank, draw the heatmap, and print the table and the answer."""
    warnings = ranked.run(config, directory)
    table, answer = pd.read_csv(directory / "ranking.csv"), files.read_json(directory / "rank.json")
    ranks = dict(list(answer["rank_probability"].items())[:N_DRAWN])
    title = f"law {answer['law']}, level {answer['level']}, {answer['n_tokens']:.3g} tokens"
    expected_rank_A = table["expected_rank"].to_numpy()[: len(ranks)]
    figure = figures.rank_heatmap(list(ranks), np.array(list(ranks.values())), title, expected_rank_A)
    figures.refresh(figure, directory / "figures" / "ranks.png")
    extra = [name for name in ("p_best_law", "p_best_shape", "p_best_new_run", "token_factor_median") if name in table]
    print(table[[*SHOWN, *extra]].head(N_PRINTED).to_string(index=False, float_format=lambda value: f"{value:.4g}"))
    if (directory / "by_law.csv").exists():
        laws = pd.read_csv(directory / "by_law.csv")
        print(laws.to_string(index=False, float_format=lambda value: f"{value:.4g}"))
    print(ranked.describe(answer, table))
    return warnings


def check(config: Config, directory: Path) -> list[str]:
    """Read all that ranking reads; what the answer would be warned of."""
    belief, candidates = ranked.load(config)
    return ranked.warnings_of(belief, candidates, candidates.features(config.n_tokens))


def estimate(config: Config) -> str:
    """How many candidates there are."""
    n_candidates = len(space.candidates(config.candidates, config.grid))
    return f"{n_candidates:,} candidates; about {2 + 1e-4 * n_candidates:.0f} s for 4,000 draws on two CPU cores"
