"""Certify a law on a table: do its intervals cover what they say, on this very design?"""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ie_scaling import laws
from ie_scaling.errors import InputError
from ie_scaling.laws.choices import COUNTS, MOST_RESAMPLES, Misses, fix_columns
from ie_scaling.running import diagnostic, files, workdir
from ie_scaling.running.config import between, one_of, positive, require, seeded, within
from ie_scaling.running.diagnostic import Diagnostic, Kind

if TYPE_CHECKING:
    from ie_scaling.laws.problem import Problem

SECONDS_A_TABLE = 1.5
CHUNK = 50  # transitions between reports of progress; chains are whole chunks
MAX_TREE_DEPTH = 7
MIN_MODELS = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Check a law's calibration on the design of a run table: the table and law as of `fit`, and how much is simulated.

    `n_tables` tables are simulated from the prior and each fitted by one chain of `n_warmup` + `n_samples` transitions,
    of which every `thin`-th draw is ranked. `prior_scale` other than 1 plants an error: the simulator's priors are so
    many times wider than the model's. The chains are shorter than a fit's: where many diverge, lengthen them.
    """

    runs: str = "data/bian2025.csv"
    columns: str | dict = ""
    where: str = ""
    law: str = "effective"
    tie: str = ""
    count: str = ""
    misses: str = "independent"
    n_tables: int = 300
    n_warmup: int = 300
    n_samples: int = 500
    thin: int = 5
    target_accept: float = 0.9
    prior_scale: float = 1.0
    allow_unfinished: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        fix_columns(self)
        one_of(self, "count", ("", *COUNTS))
        one_of(self, "misses", Misses)
        for field in ("n_warmup", "n_samples"):
            require(getattr(self, field) % CHUNK == 0, field, getattr(self, field), f"must be a multiple of {CHUNK}")
        within(self, CHUNK, MOST_RESAMPLES, "n_warmup", "n_samples")
        within(self, 20, MOST_RESAMPLES, "n_tables")
        require(self.thin >= 1 and CHUNK % self.thin == 0, "thin", self.thin, f"must divide {CHUNK}")
        positive(self, "prior_scale")
        between(self, 0, 1, "target_accept")
        seeded(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Certificate:
    """What certificate.json says."""

    answer: dict[str, Any]
    diagnostics: list[Diagnostic]


def inputs_of(config: Config) -> workdir.Inputs:
    """The run tables."""
    from ie_scaling.tables import run_source

    return run_source.inputs("runs", config.runs)


def load(config: Config) -> Problem:
    """The law posed on the rows whose like are simulated, checked.

    Raises:
      InputError: a bad law or table, or a law that reads what only a trained model has.
    """
    import numpy as np

    from ie_scaling.laws import forms, reading
    from ie_scaling.laws.evidence import calibration

    law = forms.get_law(config.law, config.tie, config.count)
    if "loss_optimal" in law.needs:
        raise InputError(f"law={law.name!r}: reads the smallest loss at the budget itself, nothing to simulate from")
    problem = laws.pose(law, reading.read(config.runs, config.where, config.columns), misses=Misses(config.misses))
    rows = problem.rows
    if "n_total" not in law.needs and np.isnan(rows.features.n_total).any():
        raise InputError(
            f"runs={config.runs!r}: has no n_params_total; shapes to simulate are of known total parameters"
        )
    unknown = [need for need in law.needs if np.isnan(getattr(calibration.candidates(rows), need)).any()]
    if unknown:
        raise InputError(f"runs={config.runs!r}: {unknown[0]} of larger shapes is unknown without shape columns")
    if (n_models := len(rows.model_ids)) < MIN_MODELS:
        raise InputError(f"runs={config.runs!r}: has {n_models} models; a certificate needs at least {MIN_MODELS}")
    return problem


def resume(config: Config, loaded: Problem, directory: Path) -> Certificate:
    """Do the parts that parts/ does not hold yet, and judge them: certificate.json."""
    from ie_scaling.inference import nuts
    from ie_scaling.laws import reading
    from ie_scaling.laws.evidence import certificate

    rows, parts = loaded.rows, directory / "parts"
    schedule = nuts.ChainSchedule(
        n_warmup=config.n_warmup,
        n_samples=config.n_samples,
        max_samples=config.n_samples,
        target_accept=config.target_accept,
        max_tree_depth=MAX_TREE_DEPTH,
        chunk=CHUNK,
        thin=config.thin,
    )
    calibrate = functools.partial(
        certificate.calibrate, loaded, config.n_tables, config.prior_scale, schedule, config.seed
    )
    simulated = files.read_or_make(parts / "calibration.json", calibrate)
    roll_forward = functools.partial(certificate.roll_forward, loaded, config.seed)
    forward = files.read_or_make(parts / "forward.json", roll_forward)
    all_rows = functools.partial(certificate.of_all_rows, loaded, config.seed)
    short = files.read_or_make(parts / "short.json", all_rows)
    answer = certificate.judge(loaded.law, config.runs, simulated, forward, short)
    diagnostics = reading.diagnose([rows]) + diagnostic.each(Kind.CERTIFICATE, answer["failures"])
    answer |= {"remarks": list(rows.remarks), "warnings": list(rows.warnings)}
    files.write_json(directory / "certificate.json", answer)
    return Certificate(answer=answer, diagnostics=diagnostics)


def figures(result: Certificate, directory: Path) -> None:
    """The ECDFs of the ranks."""
    from ie_scaling.report import figures, law_figures

    quantities = result.answer["calibration"]["quantities"]
    figures.save(law_figures.calibration(quantities), directory / "figures" / "calibration.png")


def show(directory: Path) -> None:
    """The verdicts."""
    from ie_scaling.laws.evidence import record

    answer = files.read_json(directory / "certificate.json")
    print(f"law {answer['law']} (tie {answer['tie']}, N {answer['count']}) on {answer['runs']}")
    simulated, forward = answer["calibration"], answer["rolled_forward"]
    print(f"{simulated['n_tables']} simulated tables, {simulated['tables_with_divergences']} with divergences")
    for name, entry in simulated["quantities"].items():
        print(f"  {name:22} {'inside' if entry['passed'] else 'OUTSIDE'} the 99 % band, p {entry['p_value']:.3f}")
    print(
        f"rolled forward to {forward['n']} rows of the {forward['n_models']} largest models: 90 % intervals cover "
        f"{100 * forward['coverage90']:.0f} %, 50 % intervals {100 * forward['coverage50']:.0f} %"
    )
    if (share := forward.get("detectable90")) is not None:
        print(f"a true coverage below {100 * share:.0f} % of them would have been noticed with probability 0.8")
    for line in record.besides(answer["all_rows"]):
        print(f"all rows: {line}")
    print("passed" if answer["passed"] else "FAILED")


def estimate(config: Config, loaded: Problem) -> str:
    """Tables and a rough time."""
    return (
        f"{config.n_tables} tables like {config.runs} ({len(loaded)} rows of {loaded.n_models} models) under law "
        f"{loaded.law.name}\nabout {SECONDS_A_TABLE * config.n_tables:.0f} s on two CPU cores"
    )
