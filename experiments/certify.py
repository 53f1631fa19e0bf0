"""Certify a law on a table: do its intervals cover what they say, on this very design?"""

from pathlib import Path

from ie_scaling.laws.config import CertifyConfig as Config
from ie_scaling.laws.evidence import certificate
from ie_scaling.report import figures, law_figures
from ie_scaling.running import files

inputs_of = certificate.inputs_of

SECONDS_A_TABLE = 1.5


def main(config: Config, directory: Path) -> list[str]:
    """Certify, draw the ECDFs, and print the verdicts."""
    failures = certificate.run(config, directory)
    found = files.read_json(directory / "certificate.json")
    figures.refresh(
        law_figures.calibration(found["calibration"]["quantities"]), directory / "figures" / "calibration.png"
    )
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
    return failures


def estimate(config: Config) -> str:
    """Tables and a rough time."""
    law, rows = certificate.load(config)
    return (
        f"{config.n_tables} tables like {config.runs} ({len(rows)} rows of {len(rows.model_ids)} models) under law "
        f"{law.name}\nabout {SECONDS_A_TABLE * config.n_tables:.0f} s on two CPU cores"
    )
