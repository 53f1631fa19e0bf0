"""What callers hand over: rows, posteriors, latencies, fields; as objects, or as the paths of files and directories."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from ie_scaling.api.answers import LatencyFit, PointFit, PosteriorFit
from ie_scaling.api.shapes import NamedShapes
from ie_scaling.errors import InputError, short
from ie_scaling.latency_law import posterior as latency_law
from ie_scaling.latency_law.posterior import LatencyPosterior
from ie_scaling.laws.bayes import posterior as posterior_lib
from ie_scaling.laws.bayes.posterior import Posterior
from ie_scaling.running import config as config_lib
from ie_scaling.running import identity, workdir
from ie_scaling.tables import latency_table, run_source, run_table
from ie_scaling.tables.run_source import RunSource

T = TypeVar("T")
FRAME = "DataFrame"  # what messages call rows that come from no file


def build(cls: type[T], call: str, values: Mapping[str, Any]) -> T:
    """The configuration that a call's arguments make.

    Raises:
      InputError: an unknown field, a value of the wrong type, or a rule that is broken.
    """
    return config_lib.build(cls, _plain(values), call)


def _plain(value: Any) -> Any:
    """NumPy's scalars as Python's."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def open_rows(rows: pd.DataFrame | str | Path, columns: str | dict, allow_unfinished: bool = False) -> RunSource:
    """Rows that are held, or the run tables at a path.

    Raises:
      InputError: neither, a table that cannot be read, or one of a sweep that is not finished.
    """
    if isinstance(rows, pd.DataFrame):
        return run_source.open_frame(rows, FRAME, columns)
    if not isinstance(rows, str | Path):
        raise InputError(f"rows={short(rows)}: must be a DataFrame, such as of read_runs, or the path of a run table")
    workdir.unfinished(identity.named("runs", run_table.split_paths(rows)), allow_unfinished)
    return run_source.open_runs(rows, columns)


def earlier(rows: object, name: str, otherwise: T) -> T:
    """What `read_runs` noted of these rows under this name, if it read them."""
    return rows.attrs.get(name, otherwise) if isinstance(rows, pd.DataFrame) else otherwise


def load(directory: str | Path, allow_unfinished: bool = False) -> PosteriorFit | LatencyFit:
    """What a finished directory holds: see `calls.load`."""
    place = Path(text("directory", directory))
    identity.named("directory", [place])  # a name that no directory can have
    workdir.require_done(place, allow_unfinished)
    if (place / latency_law.FILE_NAME).is_file():
        return LatencyFit(posterior=latency_law.load_fit(place), source=str(place))
    return PosteriorFit(posterior=posterior_lib.load_fit(place), source=str(place))


def text(field: str, value: object) -> str:
    if not isinstance(value, str | Path):
        raise InputError(f"{field}={short(value)}: must be text")
    return str(value)


def column_map(columns: object) -> str | dict[str, Any]:
    if not isinstance(columns, str | Mapping):
        raise InputError(f"columns={short(columns)}: must be a map from the run table's column names to the table's")
    return columns if isinstance(columns, str) else dict(columns)


def posteriors(value: object) -> tuple[Posterior, ...]:
    """The posteriors that an argument means, one or several; directories are loaded."""
    given = value if isinstance(value, list | tuple) else [value]
    return tuple(posterior(one) for one in given)


def posterior(given: object) -> Posterior:
    loaded = load(given) if isinstance(given, str | Path) else given
    if isinstance(loaded, PosteriorFit):
        return loaded.posterior
    if isinstance(loaded, Posterior):
        return loaded
    hint = "; a fit by least squares needs n_bootstrap for it" if isinstance(loaded, PointFit) else ""
    raise InputError(f"posterior={short(given)}: must be a posterior of fit or load, or a fit directory{hint}")


def read_latency(latency: object) -> tuple[str, pd.DataFrame | LatencyPosterior]:
    """The name of a latency table or law in messages, and its rows or draws."""
    if isinstance(latency, pd.DataFrame):
        return FRAME, latency_table.judge(latency.reset_index(drop=True), FRAME)
    if isinstance(latency, str | Path):
        workdir.unfinished(identity.named("latency", [latency]), False)
        if not Path(latency).is_dir():
            return str(latency), latency_table.read_latency(latency)
        latency = load(latency)
    if isinstance(latency, LatencyFit):
        return latency.source, latency.posterior
    if isinstance(latency, LatencyPosterior):
        return "latency law", latency
    raise InputError(f"latency={short(latency)}: must be a latency table, a latency law, or the path of one")


def by_name(table: pd.DataFrame, named: NamedShapes) -> pd.DataFrame:
    """The table with what the caller called each shape as its index."""
    return table.set_axis(pd.Index([named.name_of(name) for name in table["architecture"]], name="shape"))
