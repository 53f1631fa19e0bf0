"""From run tables of several families to a directory of posteriors, one a family, that share what shape does."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ie_scaling.errors import InputError
from ie_scaling.inference import diagnostics
from ie_scaling.laws import forms, reading
from ie_scaling.laws.bayes import assemble, pooling
from ie_scaling.laws.bayes.posterior import summarise
from ie_scaling.laws.config import PoolConfig
from ie_scaling.laws.law import Law
from ie_scaling.laws.observations import Observations
from ie_scaling.running import config as config_lib
from ie_scaling.running import files, identity, workdir
from ie_scaling.running.progress import Progress
from ie_scaling.tables import run_source, run_table

MIN_ROWS = 3


def inputs_of(config: PoolConfig) -> workdir.Inputs:
    """What it reads, by name."""
    return identity.named("runs", run_table.split_paths(config.runs))


def load(config: PoolConfig) -> tuple[Law, dict[str, Observations]]:
    """The law, and the rows of each family by name, checked.

    Raises:
      InputError: a bad law or table, an unknown column, fewer than two families, or a family of too few rows.
    """
    law = forms.get_law(config.law, config.tie, config.count)
    pooling.shared_places(law)
    runs = run_source.open_runs(config.runs, config.columns)
    table = reading.judge(runs, runs.filter(config.where))
    if config.by not in table.frame:
        columns = ", ".join(table.frame.columns)
        raise InputError(f"by={config.by!r}: {config.runs} has no such column; it has {columns}")
    families = {}
    for value, part in table.frame.groupby(config.by, dropna=False):
        name = _family_name(config, value)
        rows = Observations.from_frame(part, config.runs, table.remarks, table.warnings)
        rows.require(law.needs, law.name)
        if len(rows) < MIN_ROWS:
            raise InputError(f"by={config.by!r}: family {name!r} has {len(rows)} rows; it needs at least {MIN_ROWS}")
        families[name] = reading.warn_of_few_models(rows, f"{config.runs}, family {name!r}")
    if len(families) < 2:
        raise InputError(f"by={config.by!r}: {config.runs} has {len(families)} families; pooling needs at least two")
    return law, families


def _family_name(config: PoolConfig, value: object) -> str:
    """The name of a family, which is that of its folder."""
    name = "" if pd.isna(value) else str(value)
    if not re.fullmatch(r"[\w@+=,-][\w@+=,. -]{0,199}", name):
        raise InputError(
            f"by={config.by!r}: {name[:80]!r} cannot name a family's folder (blank, too long, or with signs)"
        )
    return name


def run(config: PoolConfig, directory: Path) -> list[str]:
    """Write pool.json, and NAME/posterior.nc for each family; returns what is suspicious or failed the gate."""
    resolved = {"experiment": "pool"} | config_lib.to_plain(config)
    if not workdir.is_done(directory, resolved, inputs=inputs_of(config)):
        law, families = load(config)
        with workdir.opened(directory, resolved, inputs=inputs_of(config)):
            files.write_json(directory / "pool.json", _fit(config, law, families, directory))
    found = files.read_json(directory / "pool.json")
    return [*found.get("warnings", []), *found["failures"]]


def _fit(config: PoolConfig, law: Law, families: dict[str, Observations], directory: Path) -> dict[str, Any]:
    """Sample, save each family's posterior, and describe all, JSON-ready."""
    transitions = config.nuts.n_warmup + config.nuts.n_samples
    with Progress(f"sampling {law.name} of {len(families)} families", transitions, "draws") as progress:
        pooled = pooling.sample(law, families, config.nuts, config.seed, progress.advance)
    monitored: dict[str, np.ndarray] = {"lambda": pooled.spread_CS}
    for name, samples in pooled.samples.items():
        monitored |= {f"{name}: {key}": values for key, values in assemble.monitored(law, samples).items()}
    stats = next(iter(pooled.samples.values())).stats
    gate = diagnostics.check(monitored, stats, config.nuts)
    described: dict[str, dict[str, Any]] = {}
    for name, samples in pooled.samples.items():
        posterior = assemble.from_samples(pooled.problems[name], samples, gate, config.seed)
        (directory / name).mkdir(exist_ok=True)
        posterior.save(directory / name / "posterior.nc")
        described[name] = {"n_rows": len(families[name]), "n_models": len(families[name].model_ids)}
        described[name] |= {"intervals": posterior.summary()}
    return {
        "law": law.name,
        "tie": law.tie,
        "count": law.count,
        "runs": config.runs,
        "by": config.by,
        "warnings": list(dict.fromkeys(warning for rows in families.values() for warning in rows.warnings)),
        "failures": [f"bayes {law.name}: {failure}" for failure in gate.failures],
        "families": described,
        "common": {name: summarise(values) for name, values in pooled.common.items()},
        "lambda": summarise(pooled.spread_CS),
        "gate": config_lib.to_plain(gate),
    }
