"""Fit one law to several families of runs: does shape do the same thing in all of them?"""

from pathlib import Path

from ie_scaling.laws import pooled_fit
from ie_scaling.laws.config import PoolConfig as Config
from ie_scaling.report import figures, law_figures
from ie_scaling.running import files

inputs_of = pooled_fit.inputs_of

SECONDS_A_ROW = 0.5


def main(config: Config, directory: Path) -> list[str]:
    """Fit, draw the shape parameters of every family beside what they have in common, and print them."""
    failures = pooled_fit.run(config, directory)
    found = files.read_json(directory / "pool.json")
    figures.refresh(law_figures.families(found), directory / "figures" / "families.png")
    print(f"law {found['law']} (tie {found['tie']}, N {found['count']}), shape parameters with 90 % intervals")
    for name in found["common"]:
        print(f"  {name}")
        every = {family: entry["intervals"][name] for family, entry in found["families"].items()}
        for label, value in (every | {"in common": found["common"][name]}).items():
            print(f"    {label:24} {value['median']:.4g} ({value['lo90']:.4g} to {value['hi90']:.4g})")
    spread = found["lambda"]
    print(f"families differ by {spread['median']:.2f} ({spread['lo90']:.2f} to {spread['hi90']:.2f}) of a prior's sd")
    return failures


def estimate(config: Config) -> str:
    """Families and a rough time."""
    law, families = pooled_fit.load(config)
    lines = [f"{name}: {len(rows)} rows of {len(rows.model_ids)} models" for name, rows in families.items()]
    n_rows = sum(len(rows) for rows in families.values())
    return "\n".join([f"law {law.name}", *lines, f"about {SECONDS_A_ROW * n_rows:.0f} s on two CPU cores"])
