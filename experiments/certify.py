"""Certify a law on a table: do its intervals cover what they say, on this very design?"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ie_scaling.errors import InputError
from ie_scaling.laws import forms, reading
from ie_scaling.laws.config import CertifyConfig as Config
from ie_scaling.laws.evidence import calibration, certificate
from ie_scaling.laws.law import Law
from ie_scaling.laws.observations import Observations
from ie_scaling.running import diagnostic, files, identity, workdir
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.tables import run_table

SECONDS_A_TABLE = 1.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Design:
    """A law, and the rows whose like are simulated."""

    law: Law
    rows: Observations


@dataclasses.dataclass(frozen=True, kw_only=True)
class Certificate:
    """What certificate.json says."""

    answer: dict[str, Any]
    diagnostics: list[Diagnostic]


def inputs_of(config: Config) -> workdir.Inputs:
    """What it reads, by name."""
    return identity.named("runs", run_table.split_paths(config.runs))


def load(config: Config) -> Design:
    """The law and the rows, checked.

    Raises:
      InputError: a bad law or table, or a law that reads what only a trained model has.
    """
    law = forms.get_law(config.law, config.tie, config.count)
    if "loss_optimal" in law.needs:
        raise InputError(f"law={law.name!r}: reads the smallest loss at the budget itself, nothing to simulate from")
    rows = reading.read(config.runs, config.where, config.columns)
    rows.require(law.needs, law.name)
    if "n_total" not in law.needs and np.isnan(rows.features.n_total).any():
        raise InputError(
            f"runs={config.runs!r}: has no n_params_total; shapes to simulate are of known total parameters"
        )
    unknown = [need for need in law.needs if np.isnan(getattr(calibration.candidates(rows), need)).any()]
    if unknown:
        raise InputError(f"runs={config.runs!r}: {unknown[0]} of larger shapes cannot be told without shape columns")
    if len(rows.model_ids) < 8:
        raise InputError(f"runs={config.runs!r}: has {len(rows.model_ids)} models; a certificate needs at least 8")
    return Design(law=law, rows=rows)


def resume(config: Config, loaded: Design, directory: Path) -> Certificate:
    """Do the parts that parts/ does not hold yet, and judge them: certificate.json."""
    law, rows, parts = loaded.law, loaded.rows, directory / "parts"
    simulated = _kept(parts / "calibration.json", lambda: certificate.calibrate(config, law, rows))
    forward = _kept(parts / "rolled_forward.json", lambda: certificate.roll_forward(law, rows, config.seed))
    short = _kept(parts / "short.json", lambda: certificate.of_all_rows(law, rows, config.seed))
    answer = certificate.judge(config, law, simulated, forward, short)
    found = reading.diagnose([rows]) + diagnostic.each(Kind.CERTIFICATE, answer["failures"])
    answer |= {"remarks": list(rows.remarks), "warnings": list(rows.warnings)}
    files.write_json(directory / "certificate.json", answer)
    return Certificate(answer=answer, diagnostics=found)


def _kept(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What an earlier, interrupted run left at `path`, or what `make` gives, left there."""
    if not path.exists():
        files.write_json(path, make())
    return files.read_json(path)


def figures(result: Certificate, directory: Path) -> None:
    """The ECDFs of the ranks."""
    from ie_scaling.report import figures as draw
    from ie_scaling.report import law_figures

    quantities = result.answer["calibration"]["quantities"]
    draw.save(law_figures.calibration(quantities), directory / "figures" / "calibration.png")


def show(directory: Path) -> None:
    """The verdicts."""
    found = files.read_json(directory / "certificate.json")
    print(f"law {found['law']} (tie {found['tie']}, N {found['count']}) on {found['runs']}")
    simulated, forward = found["calibration"], found["rolled_forward"]
    print(f"{simulated['n_tables']} simulated tables, {simulated['tables_with_divergences']} with divergences")
    for name, entry in simulated["quantities"].items():
        print(f"  {name:22} {'inside' if entry['passed'] else 'OUTSIDE'} the 99 % band, p {entry['p_value']:.3f}")
    print(
        f"rolled forward to {forward['n']} rows of the {forward['n_models']} largest models: 90 % intervals cover "
        f"{100 * forward['coverage90']:.0f} %, 50 % intervals {100 * forward['coverage50']:.0f} %"
    )
    print("passed" if found["passed"] else "FAILED")


def estimate(config: Config, loaded: Design) -> str:
    """Tables and a rough time."""
    law, rows = loaded.law, loaded.rows
    return (
        f"{config.n_tables} tables like {config.runs} ({len(rows)} rows of {len(rows.model_ids)} models) under law "
        f"{law.name}\nabout {SECONDS_A_TABLE * config.n_tables:.0f} s on two CPU cores"
    )
