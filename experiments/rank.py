"""Rank shapes by predicted loss at given tokens: which of these should be trained, and how sure is that?"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from ie_scaling.running import files, identity, workdir
from ie_scaling.running.progress import Progress
from ie_scaling.search.config import GridConfig, RankingConfig
from ie_scaling.shapes import lookup

if TYPE_CHECKING:
    import pandas as pd

    from ie_scaling.running.diagnostic import Diagnostic
    from ie_scaling.search.belief import Belief
    from ie_scaling.search.ranked import Ranking
    from ie_scaling.search.space import Space

SHOWN = ("architecture", "n_params_total", "loss_mean", "loss_lo90", "loss_hi90", "p_best", "p_top_k")
SHOWN += ("expected_rank", "expected_regret", "expected_regret_se", "expected_regret_percent")
SHOWN_OF_FEW = ("p_best_law", "p_best_shape", "p_best_new_run", "token_factor_median")
N_PRINTED = 20
N_DRAWN = 12


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(RankingConfig):
    """Rank candidate shapes by predicted loss at `n_tokens` tokens.

    `fit` is a directory that `configs/fit.py` wrote, or several of the same rows with commas between them: their laws
    are then stacked, and by_law.csv says how the answer depends on the law. `level` is what is predicted: `law` the
    curve, `shape` the shape's own, `new_run` one more training run of it. Of candidates whose expected regrets lie
    within two Monte Carlo errors of the least, the smallest comes first. The table lists the `n_listed` shapes of least
    expected regret; up to `n_compared` candidates are compared at every level too. P(rank = k) is given for each of the
    first `top_k` ranks.
    """

    fit: str = "runs/fit"
    candidates: tuple[str, ...] = (
        "d2048-n24-h16-k16-c128-f5632-v50432",
        "d2560-n16-h16-k16-c160-f6912-v50432",
        "d2816-n12-h16-k16-c176-f7680-v50432",
        "d3072-n12-h16-k16-c192-f8192-v50432",
        "d3328-n8-h16-k16-c208-f8960-v50432",
        "d4096-n6-h16-k16-c256-f11008-v50432",
    )
    grid: GridConfig = GridConfig()
    allow_unfinished: bool = False

    @property
    def shape_specs(self) -> tuple[str, ...]:
        """The shapes as they were named."""
        return self.candidates


def inputs_of(config: Config) -> workdir.Inputs:
    """What it reads, by name."""
    from ie_scaling.laws.bayes import posterior
    from ie_scaling.tables import run_source

    fits = [Path(directory) / name for directory in run_source.split_paths(config.fit) for name in posterior.FILES]
    return identity.named("fit", fits) | identity.named("candidates", lookup.files_of(config.candidates))


def load(config: Config) -> tuple[Belief, Space]:
    """The posteriors, and the candidates that they rank, checked.

    Raises:
      InputError: no such fit, no candidates, or a feature that a law needs and candidates lack.
    """
    from ie_scaling.search.belief import Belief
    from ie_scaling.search.space import Space

    belief, space = Belief.load(config.fit), Space.of(config.candidates, config.grid)
    belief.require(space, config.n_tokens)
    return belief, space


def preview(config: Config, loaded: tuple[Belief, Space]) -> list[Diagnostic]:
    """Failed diagnostics of the posteriors, and features of the candidates that the laws say nothing about."""
    from ie_scaling.search import ranked

    belief, space = loaded
    return ranked.diagnose(belief, space, space.features(config.n_tokens))


def compute(config: Config, loaded: tuple[Belief, Space]) -> Ranking:
    """Rank; of several laws, also by each alone."""
    from ie_scaling.search import ranked

    belief, space = loaded
    with Progress("rank", belief.n_draws, "draws") as progress:
        return ranked.rank(config, belief, space, progress.advance)


def save(result: Ranking, directory: Path) -> None:
    """ranking.csv, rank.json and, of several laws, by_law.csv."""
    from ie_scaling.tables import cells

    if result.laws is not None:
        cells.write_table(directory / "by_law.csv", result.laws)
    cells.write_table(directory / "ranking.csv", result.table)
    files.write_json(directory / "rank.json", result.answer)


def figures(result: Ranking, directory: Path) -> None:
    """A heatmap of P(rank = k)."""
    import numpy as np

    from ie_scaling.report import figures

    answer = result.answer
    ranks = dict(list(answer["rank_probability"].items())[:N_DRAWN])
    title = f"law {answer['law']}, level {answer['level']}, {answer['n_tokens']:.3g} tokens"
    expected_rank_A = result.table["expected_rank"].to_numpy()[: len(ranks)]
    figure = figures.rank_heatmap(list(ranks), np.array(list(ranks.values())), title, expected_rank_A)
    figures.save(figure, directory / "figures" / "ranks.png")


def show(directory: Path) -> None:
    """The table, the laws beside one another, and the answer."""
    import pandas as pd

    from ie_scaling.search import ranked

    table = pd.read_csv(directory / "ranking.csv")
    print(_text(table[[*SHOWN, *(name for name in SHOWN_OF_FEW if name in table)]].head(N_PRINTED)))
    if (directory / "by_law.csv").exists():
        print(_text(pd.read_csv(directory / "by_law.csv")))
    print(ranked.describe(files.read_json(directory / "rank.json"), table))


def estimate(_: Config, loaded: tuple[Belief, Space]) -> str:
    """How many candidates there are, and about how long they take."""
    n_candidates = len(loaded[1])
    return f"{n_candidates:,} candidates; about {2 + 1e-4 * n_candidates:.0f} s for 4,000 draws on two CPU cores"


def _text(table: pd.DataFrame) -> str:
    return table.to_string(index=False, float_format=lambda value: f"{value:.4g}")
