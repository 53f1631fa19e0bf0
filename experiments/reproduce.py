"""Reach the published numbers again: does this software give what the papers print, from the papers' own runs?"""

from pathlib import Path

import numpy as np

from ie_scaling.errors import InputError
from ie_scaling.laws import forms
from ie_scaling.laws.config import ReproduceConfig
from ie_scaling.laws.evidence import reproduction
from ie_scaling.laws.least_squares import published, solver
from ie_scaling.laws.problem import pose
from ie_scaling.report import figures, law_figures
from ie_scaling.running import config as config_lib
from ie_scaling.running import files, identity, markdown, workdir
from ie_scaling.running.progress import Progress
from ie_scaling.tables import cells

Config = ReproduceConfig
FIGURES = ("predicted_against_actual", "loss_against_aspect_ratio", "loss_against_n", "loss_against_flops", "isoloss")
SECONDS_A_ROW = 3


def inputs_of(config: ReproduceConfig) -> workdir.Inputs:
    """What it reads, by name."""
    return identity.within("data", config.data, [f"{name}.csv" for name in reproduction.Tables.NAMES])


def main(config: ReproduceConfig, directory: Path) -> list[str]:
    """Check every row, draw every figure, and print the table."""
    resolved = {"experiment": "reproduce"} | config_lib.to_plain(config)
    rows, drawn = chosen(config)
    if not workdir.is_done(directory, resolved, inputs=inputs_of(config)):
        tables = reproduction.Tables(Path(config.data))
        tables.read("bian2025")
        with workdir.opened(directory, resolved, inputs=inputs_of(config)):
            table = _check(rows, tables, config)
            cells.write_table(directory / "reproduction.csv", table)
            files.write_text(directory / "reproduction.md", _markdown(table))
            _draw(drawn, tables, config, directory / "figures")
    table = cells.read_table(directory / "reproduction.csv")
    print(files.read_text(directory / "reproduction.md"))
    failed = table[table["passed"] != "True"]
    return [f"{row.row}, {row.quantity}: {row.ours}, printed {row.printed}" for row in failed.itertuples()]


def chosen(config: ReproduceConfig) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The rows and figures asked for.

    Raises:
      ValueError: an unknown one; the valid ones are listed.
    """
    for field, names, valid in (("rows", config.rows, reproduction.ROWS), ("figures", config.figures, FIGURES)):
        if unknown := [name for name in names if name not in valid]:
            raise ValueError(f"{field}={unknown[0]!r}: must be among {', '.join(valid)}")
    forms.get_law(config.figure_law)
    every = not config.rows and not config.figures
    rows = config.rows or (tuple(reproduction.ROWS) if every else ())
    return rows, config.figures or (FIGURES if every else ())


def _check(rows: tuple[str, ...], tables: reproduction.Tables, config: ReproduceConfig) -> list[dict]:
    found = []
    with Progress("reproduce", len(rows), "rows") as progress:
        for name in rows:
            for check in reproduction.ROWS[name](tables, config):
                entry = {"row": name, "quantity": check.quantity, "printed": check.printed, "ours": check.ours}
                rule = "at most" if check.at_most else "equal"
                found.append(
                    entry | {"rule": rule, "tolerance": check.tolerance, "passed": check.passed, "note": check.note}
                )
            progress.advance(note=name)
    return found


def _markdown(table: list[dict]) -> str:
    rows = [
        (
            *(entry[key] for key in ("row", "quantity", "printed")),
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


def _draw(names: tuple[str, ...], tables: reproduction.Tables, config: ReproduceConfig, folder: Path) -> None:
    if not names:
        return
    rows = tables.read("bian2025")
    where = reproduction.PUBLISHED_FIGURES["fig7"]
    fitted_R = np.isin(rows.run_ids, tables.read("bian2025", where).run_ids)
    paper = published.fit(pose(reproduction.ASPECT_RATIO, rows.take(fitted_R)))
    law = forms.get_law(config.figure_law)
    ours = solver.fit(pose(law, rows.take(fitted_R)), n_starts=config.n_starts)
    whole = solver.fit(pose(law, rows), n_starts=config.n_starts)
    x = {"loss_against_n": lambda r: r.features.n_total, "loss_against_flops": lambda r: _flops(r)}
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


def _flops(rows) -> np.ndarray:
    return 6 * rows.features.n_total * rows.features.n_tokens


def check(config: ReproduceConfig, _: Path) -> list[str]:
    """Raise where a table is missing, or the one of every row and figure is damaged."""
    folder = Path(config.data)
    if absent := [name for name in reproduction.Tables.NAMES if not (folder / f"{name}.csv").is_file()]:
        raise InputError(f"{folder / absent[0]}.csv: no such file")
    reproduction.Tables(folder).read("bian2025")
    return []


def estimate(config: ReproduceConfig) -> str:
    """Rows, figures and a rough time."""
    rows, drawn = chosen(config)
    return (
        f"rows: {', '.join(rows)}\nfigures: {', '.join(drawn)}\n"
        f"about {SECONDS_A_ROW * (len(rows) + len(drawn))} s on two CPU cores"
    )
