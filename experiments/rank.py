"""Rank shapes by predicted loss at given tokens: which of these should be trained, and how sure is that?"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ie_scaling.laws.bayes import posterior
from ie_scaling.running import diagnostic, files, identity, workdir
from ie_scaling.running.diagnostic import Diagnostic
from ie_scaling.search import by_law, ranked
from ie_scaling.search.belief import Belief
from ie_scaling.search.config import RankConfig as Config
from ie_scaling.search.space import Space
from ie_scaling.shapes import lookup
from ie_scaling.tables import cells, run_table

SHOWN = ("architecture", "n_params_total", "loss_mean", "loss_lo90", "loss_hi90", "p_best", "p_top_k")
SHOWN += ("expected_rank", "expected_regret", "expected_regret_se", "expected_regret_percent")
SHOWN_OF_FEW = ("p_best_law", "p_best_shape", "p_best_new_run", "token_factor_median")
N_PRINTED = 20
N_DRAWN = 12


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ranking:
    """A row a candidate listed, what there is to say of the first, and (of several laws) a row a law."""

    table: pd.DataFrame
    answer: dict[str, Any]
    laws: pd.DataFrame | None
    diagnostics: list[Diagnostic]


def inputs_of(config: Config) -> workdir.Inputs:
    """What it reads, by name."""
    fits = [Path(place) / name for place in run_table.split_paths(config.fit) for name in posterior.FILES]
    return identity.named("fit", fits) | identity.named("candidates", lookup.files_of(config.candidates))


def load(config: Config) -> tuple[Belief, Space]:
    """What a configuration ranks by, and what it ranks, checked.

    Raises:
      InputError: no such fit, no candidates, or a feature that a law needs and candidates lack.
    """
    belief, space = Belief.load(config.fit), Space.of(config.candidates, config.grid)
    for each in belief.posteriors:
        each.require(space.take(np.arange(1)).features(config.n_tokens))
    return belief, space


def preview(config: Config, loaded: tuple[Belief, Space]) -> list[Diagnostic]:
    """Failures of what is used, and what the laws say nothing about."""
    belief, space = loaded
    return ranked.diagnose(belief, space, space.features(config.n_tokens))


def compute(config: Config, loaded: tuple[Belief, Space]) -> Ranking:
    """Rank; of several laws, also by each alone."""
    belief, space = loaded
    table, answer = ranked.rank(config, belief, space)
    found, laws = preview(config, loaded), None
    if belief.stack is not None:
        laws = by_law.compare(config, belief, space, answer["best"])
        found += by_law.at_odds(laws, answer["best"])
    answer["warnings"] = diagnostic.lines(found)
    return Ranking(table=table, answer=answer, laws=laws, diagnostics=found)


def save(result: Ranking, directory: Path) -> None:
    """ranking.csv, rank.json and, of several laws, by_law.csv."""
    if result.laws is not None:
        cells.write_table(directory / "by_law.csv", result.laws)
    cells.write_table(directory / "ranking.csv", result.table)
    files.write_json(directory / "rank.json", result.answer)


def figures(result: Ranking, directory: Path) -> None:
    """A heatmap of P(rank = k)."""
    from ie_scaling.report import figures as draw

    answer = result.answer
    ranks = dict(list(answer["rank_probability"].items())[:N_DRAWN])
    title = f"law {answer['law']}, level {answer['level']}, {answer['n_tokens']:.3g} tokens"
    expected_rank_A = result.table["expected_rank"].to_numpy()[: len(ranks)]
    figure = draw.rank_heatmap(list(ranks), np.array(list(ranks.values())), title, expected_rank_A)
    draw.save(figure, directory / "figures" / "ranks.png")


def show(directory: Path) -> None:
    """The table, the laws beside one another, and the answer."""
    table = pd.read_csv(directory / "ranking.csv")
    print(_text(table[[*SHOWN, *(name for name in SHOWN_OF_FEW if name in table)]].head(N_PRINTED)))
    if (directory / "by_law.csv").exists():
        print(_text(pd.read_csv(directory / "by_law.csv")))
    print(ranked.describe(files.read_json(directory / "rank.json"), table))


def estimate(_: Config, loaded: tuple[Belief, Space]) -> str:
    """How many candidates there are."""
    n_candidates = len(loaded[1])
    return f"{n_candidates:,} candidates; about {2 + 1e-4 * n_candidates:.0f} s for 4,000 draws on two CPU cores"


def _text(table: pd.DataFrame) -> str:
    return table.to_string(index=False, float_format=lambda value: f"{value:.4g}")
