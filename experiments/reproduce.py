"""Reach the published numbers again: does this software give what the papers print, from the papers' own runs?"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from ie_scaling.errors import InputError
from ie_scaling.laws.choices import MOST_RESAMPLES, MOST_STARTS
from ie_scaling.running import files, identity, markdown, workdir
from ie_scaling.running.config import seeded, within
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.running.progress import Progress

if TYPE_CHECKING:
    import numpy as np

    from ie_scaling.laws.evidence.reproduction import ShippedTables
    from ie_scaling.laws.observations import Observations

FIGURES = ("predicted_against_actual", "loss_against_aspect_ratio", "loss_against_n", "loss_against_flops", "isoloss")
SECONDS_A_ROW = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Reach the published numbers again: `rows` and `figures` by name, none meaning all of them.

    `data` is the folder of the public run tables; `figure_law` is drawn beside the law of [B25] (docs/laws.md).
    """

    data: str = "data"
    rows: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()
    figure_law: str = "effective_moving_D"
    n_starts: int = 64
    n_bootstrap: int = 4000
    seed: int = 0

    def __post_init__(self) -> None:
        within(self, 1, MOST_STARTS, "n_starts")
        within(self, 1, MOST_RESAMPLES, "n_bootstrap")
        seeded(self)


class ReproducedValue(TypedDict):
    """A published value beside ours: a row of reproduction.csv."""

    row: str
    quantity: str
    printed: str
    ours: float
    rule: str
    tolerance: float
    passed: bool
    note: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reproduction:
    """A row for each published value, and what figures are drawn from."""

    table: list[ReproducedValue]
    config: Config
    tables: ShippedTables
    diagnostics: list[Diagnostic]


def inputs_of(config: Config) -> workdir.Inputs:
    """The public run tables."""
    from ie_scaling.laws.evidence.reproduction import ShippedTables

    return identity.within("data", config.data, [f"{name}.csv" for name in ShippedTables.NAMES])


def load(config: Config) -> ShippedTables:
    """The public run tables; the one of every row and figure is read.

    Raises:
      InputError: an unknown row or figure, or a table that is missing or damaged.
    """
    from ie_scaling.laws.evidence.reproduction import ShippedTables

    chosen(config)
    folder = Path(config.data)
    if absent := [name for name in ShippedTables.NAMES if not (folder / f"{name}.csv").is_file()]:
        raise InputError(f"{folder / absent[0]}.csv: no such file")
    tables = ShippedTables(folder)
    tables.read("bian2025")
    return tables


def compute(config: Config, loaded: ShippedTables) -> Reproduction:
    """Check every row."""
    rows, _ = chosen(config)
    table = _check(rows, loaded, config)
    failed = [
        Diagnostic(Kind.DISAGREEMENT, f"{row['row']}, {row['quantity']}", f"{row['ours']}, printed {row['printed']}")
        for row in table
        if not row["passed"]
    ]
    return Reproduction(table=table, config=config, tables=loaded, diagnostics=failed)


def save(result: Reproduction, directory: Path) -> None:
    """reproduction.csv and .md."""
    from ie_scaling.tables import cells

    cells.write_table(directory / "reproduction.csv", result.table)
    files.write_text(directory / "reproduction.md", _markdown(result.table))


def figures(result: Reproduction, directory: Path) -> None:
    """The papers' figures that were chosen."""
    _, drawn = chosen(result.config)
    _draw(drawn, result.tables, result.config, directory / "figures")


def show(directory: Path) -> None:
    """The table."""
    print(files.read_text(directory / "reproduction.md"))


def chosen(config: Config) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the rows and figures to make.

    Raises:
      InputError: an unknown one; the valid ones are listed.
    """
    from ie_scaling.laws import forms
    from ie_scaling.laws.evidence import reproduction

    for field, names, valid in (("rows", config.rows, reproduction.ROWS), ("figures", config.figures, FIGURES)):
        if unknown := [name for name in names if name not in valid]:
            raise InputError(f"{field}={unknown[0]!r}: must be among {', '.join(valid)}")
    forms.get_law(config.figure_law)
    every = not config.rows and not config.figures
    rows = config.rows or (tuple(reproduction.ROWS) if every else ())
    return rows, config.figures or (FIGURES if every else ())


def _check(rows: tuple[str, ...], tables: ShippedTables, config: Config) -> list[ReproducedValue]:
    """Each published value of these rows beside ours."""
    from ie_scaling.laws.evidence import reproduction

    effort = reproduction.Effort(n_starts=config.n_starts, n_bootstrap=config.n_bootstrap, seed=config.seed)
    table: list[ReproducedValue] = []
    with Progress("reproduce", len(rows), "rows") as progress:
        for name in rows:
            for check in reproduction.ROWS[name](tables, effort):
                row: ReproducedValue = {
                    "row": name,
                    "quantity": check.quantity,
                    "printed": check.printed,
                    "ours": check.ours,
                    "rule": "at most" if check.at_most else "equal",
                    "tolerance": check.tolerance,
                    "passed": check.passed,
                    "note": check.note,
                }
                table.append(row)
            progress.advance(note=name)
    return table


def _markdown(table: list[ReproducedValue]) -> str:
    rows = [
        (
            entry["row"],
            entry["quantity"],
            entry["printed"],
            f"{entry['ours']:.9g}",
            f"{'≤ +' if entry['rule'] == 'at most' else '± '}{entry['tolerance']:.2g}",
            "pass" if entry["passed"] else "FAIL",
            entry["note"],
        )
        for entry in table
    ]
    n_passed = sum(entry["passed"] for entry in table)
    header = ("row", "quantity", "printed", "ours", "tolerance", "", "note")
    return f"{n_passed} of {len(table)} values reproduced.\n\n{markdown.table(header, rows)}"


def _draw(names: tuple[str, ...], tables: ShippedTables, config: Config, folder: Path) -> None:
    """The papers' figures of these names, each a PNG in `folder`."""
    if not names:
        return
    import numpy as np

    from ie_scaling.laws import forms
    from ie_scaling.laws.evidence import reproduction
    from ie_scaling.laws.least_squares import published, solver
    from ie_scaling.laws.problem import pose
    from ie_scaling.report import figures, law_figures

    rows = tables.read("bian2025")
    where = reproduction.PUBLISHED_FIGURES["fig7"]
    fitted_R = np.isin(rows.run_ids, tables.read("bian2025", where).run_ids)
    paper = published.fit(pose(reproduction.ASPECT_RATIO, rows.take(fitted_R)))
    law = forms.get_law(config.figure_law)
    ours = solver.fit(pose(law, rows.take(fitted_R)), n_starts=config.n_starts)
    whole = solver.fit(pose(law, rows), n_starts=config.n_starts)
    x = {"loss_against_n": lambda rows: rows.features.n_total, "loss_against_flops": _flops}
    labels = {"loss_against_n": "N_total", "loss_against_flops": "training FLOPs 6·N_total·D"}
    for name in names:
        if name == "predicted_against_actual":
            figure = law_figures.predicted_against_actual(rows, (paper, ours), fitted_R)
        elif name == "loss_against_aspect_ratio":
            figure = law_figures.loss_against_aspect_ratio(rows, (whole, paper))
        elif name == "isoloss":
            figure = law_figures.isoloss(rows, whole)
        else:
            figure = law_figures.loss_against(rows, x[name], labels[name])
        figures.save(figure, folder / f"{name}.png")


def _flops(rows: Observations) -> np.ndarray:
    return 6 * rows.features.n_total * rows.features.n_tokens


def estimate(config: Config, _: ShippedTables) -> str:
    """Rows, figures and a rough time."""
    rows, drawn = chosen(config)
    return (
        f"rows: {', '.join(rows)}\nfigures: {', '.join(drawn)}\n"
        f"about {SECONDS_A_ROW * (len(rows) + len(drawn))} s on two CPU cores"
    )
