"""Fit one law to several families of runs: does shape do the same thing in all of them?"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from ie_scaling.errors import InputError
from ie_scaling.inference.config import NutsConfig
from ie_scaling.laws import choices
from ie_scaling.running import diagnostic, files, workdir
from ie_scaling.running.config import one_of, seeded, to_plain
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.running.progress import Progress

if TYPE_CHECKING:
    from ie_scaling.inference.draws import DrawSummary
    from ie_scaling.laws.bayes.posterior import Posterior
    from ie_scaling.laws.law import Law
    from ie_scaling.laws.observations import Observations

MIN_ROWS = 3
SECONDS_A_ROW = 0.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Fit one law to several families of runs at once, their shape parameters partially pooled.

    `runs` is a table, or several with commas between them; rows with the same value in column `by` are one family.
    """

    runs: str = "data/bian2025.csv,data/gemstones_cooldown.csv"
    columns: str | dict = ""
    where: str = ""
    by: str = "source"
    law: str = "effective"
    tie: str = ""
    count: str = ""
    allow_unfinished: bool = False
    seed: int = 0
    nuts: NutsConfig = NutsConfig()

    def __post_init__(self) -> None:
        choices.fix_columns(self)
        one_of(self, "count", ("", *choices.COUNTS))
        seeded(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Families:
    """The law, and the rows of each family by name."""

    law: Law
    rows: dict[str, Observations]


class FamilyRecord(TypedDict):
    """One family in pool.json."""

    n_rows: int
    n_models: int
    intervals: dict[str, DrawSummary]


# pool.json; `lambda` is by how many sd of a prior families differ, and no name that a class could have.
PoolRecord = TypedDict(
    "PoolRecord",
    {
        "law": str,
        "tie": str,
        "count": str,
        "runs": str,
        "by": str,
        "warnings": list[str],
        "failures": list[str],
        "families": dict[str, FamilyRecord],
        "common": "dict[str, DrawSummary]",
        "lambda": "DrawSummary",
        "gate": dict[str, Any],
    },
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pool:
    """What pool.json says, and a posterior of each family."""

    answer: PoolRecord
    posteriors: dict[str, Posterior]
    diagnostics: list[Diagnostic]


def inputs_of(config: Config) -> workdir.Inputs:
    """What it reads, by name."""
    from ie_scaling.tables import run_source

    return run_source.inputs("runs", config.runs)


def load(config: Config) -> Families:
    """The law, and the rows of each family by name, checked.

    Raises:
      InputError: a bad law or table, an unknown column, fewer than two families, or a family of too few rows.
    """
    from ie_scaling.laws import forms, reading
    from ie_scaling.laws.bayes import pooling
    from ie_scaling.laws.observations import Observations
    from ie_scaling.tables import run_source

    law = forms.get_law(config.law, config.tie, config.count)
    pooling.shared_indices(law)
    runs = run_source.open_runs(config.runs, config.columns)
    table = reading.judge(runs, runs.filter(config.where))
    if config.by not in table.frame:
        columns = ", ".join(table.frame.columns)
        raise InputError(f"by={config.by!r}: {config.runs} has no such column; it has {columns}")
    families = {}
    for value, part in table.frame.groupby(config.by, dropna=False):
        name = _family_name(value, config.by)
        rows = Observations.from_frame(part, config.runs, table.remarks, table.warnings)
        rows.require(law.needs, law.name)
        if len(rows) < MIN_ROWS:
            raise InputError(f"by={config.by!r}: family {name!r} has {len(rows)} rows; it needs at least {MIN_ROWS}")
        families[name] = reading.warn_of_few_models(rows, f"{config.runs}, family {name!r}")
    if len(families) < 2:
        raise InputError(f"by={config.by!r}: {config.runs} has {len(families)} families; pooling needs at least two")
    return Families(law=law, rows=families)


def _family_name(value: Any, column: str) -> str:
    """The name of a family, which is that of its folder."""
    name = "" if value is None or value != value else str(value)  # NaN: a blank
    if not re.fullmatch(r"[\w@+=,-][\w@+=,. -]{0,199}", name):
        raise InputError(f"by={column!r}: {name[:80]!r} cannot name a family's folder (blank, too long, or with signs)")
    return name


def compute(config: Config, loaded: Families) -> Pool:
    """Sample all families at once."""
    from ie_scaling.inference import diagnostics
    from ie_scaling.inference.draws import summarize
    from ie_scaling.laws.bayes import assemble, pooling

    law, families = loaded.law, loaded.rows
    transitions = config.nuts.n_warmup + config.nuts.n_samples
    with Progress(f"sampling {law.name} of {len(families)} families", transitions, "draws") as progress:
        pooled = pooling.sample(law, families, config.nuts, config.seed, progress.advance)
    monitored = {"lambda": pooled.spread_CS}
    for name, samples in pooled.samples.items():
        monitored |= {f"{name}: {key}": values for key, values in assemble.monitored(law, samples).items()}
    gate = diagnostics.check(monitored, next(iter(pooled.samples.values())).stats, config.nuts)
    posteriors = {
        name: assemble.from_samples(pooled.problems[name], samples, gate, config.seed)
        for name, samples in pooled.samples.items()
    }
    suspicious = list(dict.fromkeys(warning for rows in families.values() for warning in rows.warnings))
    failed = diagnostic.each(Kind.CONVERGENCE, gate.failures, f"bayes {law.name}")
    answer: PoolRecord = {
        "law": law.name,
        "tie": law.tie,
        "count": law.count,
        "runs": config.runs,
        "by": config.by,
        "warnings": suspicious,
        "failures": diagnostic.lines(failed),
        "families": {name: _describe(families[name], posterior) for name, posterior in posteriors.items()},
        "common": {name: summarize(values) for name, values in pooled.common.items()},
        "lambda": summarize(pooled.spread_CS),
        "gate": to_plain(gate),
    }
    return Pool(answer=answer, posteriors=posteriors, diagnostics=diagnostic.each(Kind.TABLE, suspicious) + failed)


def _describe(rows: Observations, posterior: Posterior) -> FamilyRecord:
    return {"n_rows": len(rows), "n_models": len(rows.model_ids), "intervals": posterior.summary()}


def save(result: Pool, directory: Path) -> None:
    """NAME/posterior.nc for each family, and pool.json."""
    for name, posterior in result.posteriors.items():
        (directory / name).mkdir(exist_ok=True)
        posterior.save(directory / name / "posterior.nc")
    files.write_json(directory / "pool.json", result.answer)


def figures(result: Pool, directory: Path) -> None:
    """The shape parameters of every family beside what they have in common."""
    from ie_scaling.report import figures, law_figures

    figures.save(law_figures.families(result.answer), directory / "figures" / "families.png")


def show(directory: Path) -> None:
    """The shape parameters of every family, and what they have in common."""
    answer = files.read_json(directory / "pool.json")
    print(f"law {answer['law']} (tie {answer['tie']}, N {answer['count']}), shape parameters with 90 % intervals")
    for name in answer["common"]:
        print(f"  {name}")
        every = {family: entry["intervals"][name] for family, entry in answer["families"].items()}
        for label, value in (every | {"in common": answer["common"][name]}).items():
            print(f"    {label:24} {value['median']:.4g} ({value['lo90']:.4g} to {value['hi90']:.4g})")
    spread = answer["lambda"]
    print(f"families differ by {spread['median']:.2f} ({spread['lo90']:.2f} to {spread['hi90']:.2f}) of a prior's sd")


def estimate(_: Config, loaded: Families) -> str:
    """Families and a rough time."""
    lines = [f"{name}: {len(rows)} rows of {len(rows.model_ids)} models" for name, rows in loaded.rows.items()]
    n_rows = sum(len(rows) for rows in loaded.rows.values())
    return "\n".join([f"law {loaded.law.name}", *lines, f"about {SECONDS_A_ROW * n_rows:.0f} s on two CPU cores"])
