"""A loss law's posterior as one netCDF file that ArviZ reads: the fields of Posterior, out and in, each checked."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ie_scaling.errors import InputError
from ie_scaling.inference import draws_file, numerics
from ie_scaling.laws import forms
from ie_scaling.laws.bayes import noise
from ie_scaling.laws.law import Law
from ie_scaling.laws.least_squares.solver import predict_draws
from ie_scaling.laws.observations import Features, Reference
from ie_scaling.running import files

POSTERIOR, BOOTSTRAP = "posterior.nc", "bootstrap.nc"
METHODS = ("bayes", "bootstrap")
METHOD_OF = {POSTERIOR: "bayes", BOOTSTRAP: "bootstrap"}  # by the file's name, where it is one of these
REFERENCE_FIELDS = tuple(field.name for field in dataclasses.fields(Reference))
PER_DRAW = ("chain", "draw")
ROW_FEATURES = ("n_total", "n_tokens", "aspect_ratio")  # of which answers say how far outside them they are
# What a feature is at the reference point; N is counted there as the law counts it.
AT_REFERENCE = {
    "n_total": "N0",
    "n_non_embedding": "N0",
    "n_tokens": "D0",
    "d_model": "d0",
    "n_layers": "n0",
    "aspect_ratio": "R0",
    "mlp_attention_ratio": "r0",
    "query_group": "g0",
    "loss_optimal": "L_min",
}


def write(
    path: Path,
    *,
    law: Law,
    reference: Reference,
    method: str,
    variables: Mapping[str, np.ndarray],
    effects_CSM: np.ndarray,
    model_ids: tuple[str, ...],
    failures: tuple[str, ...],
    groups: Mapping[str, xr.Dataset],
) -> None:
    """Write the file, whole or not at all; `variables` are the draws and what derives from them, each [C, S]."""
    n_chains, n_draws = effects_CSM.shape[:2]
    coords = {"chain": np.arange(n_chains), "draw": np.arange(n_draws), "model": np.array(model_ids, dtype=str)}
    columns: dict[str, Any] = {name: (PER_DRAW, values) for name, values in variables.items()}
    columns["u"] = ((*PER_DRAW, "model"), effects_CSM)
    attributes: dict[str, Any] = {"law": law.name, "tie": law.tie, "count": law.count, "method": method}
    attributes |= {"failures": json.dumps(failures)}
    attributes |= {name: float(getattr(reference, name)) for name in REFERENCE_FIELDS}
    draws_file.write(path, {"posterior": xr.Dataset(columns, coords=coords), **groups}, attributes)


def read(path: Path, law: str = "") -> dict[str, Any]:
    """The fields of the Posterior in a file that `write` wrote.

    Args:
      law: the law that it must be of; "" takes any.

    Raises:
      InputError: no such file, not such a file, another law's, or one whose draws cannot be that law's.
    """
    data, groups = draws_file.read(path)
    named = {name: draws_file.word(path, data, name) for name in ("law", "tie", "count", "method")}
    reference = Reference(**{name: draws_file.number(path, data, name) for name in REFERENCE_FIELDS})
    if wrong := [name for name in REFERENCE_FIELDS if getattr(reference, name) <= 0]:
        raise InputError(f"{path}: attribute {wrong[0]}={getattr(reference, wrong[0]):g} must be above zero")
    if law and named["law"] != law:
        raise InputError(f"{path}: is of law {named['law']!r}, not {law!r}")
    if named["method"] not in METHODS:
        raise InputError(f"{path}: attribute method={named['method']!r} must be one of {', '.join(METHODS)}")
    if METHOD_OF.get(path.name, named["method"]) != named["method"]:
        raise InputError(f"{path}: holds draws of method {named['method']!r}, not what its name says; fit again")
    form = _law_of(path, named)
    names = (*form.names, *noise.NAMES)
    draws = {name: draws_file.variable(path, data, name, PER_DRAW, np.float64) for name in names}
    model_ids = draws_file.labels(path, data, "model")
    if not model_ids:
        raise InputError(f"{path}: names no model that was fitted")
    _check_domain(path, form, draws)
    for name, group in groups.items():
        _check_sizes(path, name, group, draws["tau"].shape)
    _check_rows(path, groups, model_ids)
    _check_predictions(path, form, draws, reference, groups.get("constant_data"))
    return {
        "law": form,
        "reference": reference,
        "method": named["method"],
        "draws": draws,
        "effects_CSM": draws_file.variable(path, data, "u", (*PER_DRAW, "model"), np.float64),
        "model_ids": model_ids,
        "failures": tuple(draws_file.items(path, data, "failures", str)),
        "groups": groups,
    }


def choose(directory: Path) -> Path:
    """The file of draws that a fit directory's configuration asked for; without one, whichever is there.

    Raises:
      InputError: it is not there, such as a posterior of which only the bootstrap was finished.
    """
    there = [name for name in (POSTERIOR, BOOTSTRAP) if (directory / name).is_file()]
    expected = _promised(_config(directory))
    if expected and expected not in there:
        beside = f"; {there[0]} is another method's" if there else ""
        raise InputError(f"{directory}: has no {expected}, which its config.json asked for{beside}; finish this fit")
    if not there:
        raise InputError(
            f"{directory}: has neither {POSTERIOR} nor {BOOTSTRAP}; fit with method bayes, or with n_bootstrap"
        )
    return directory / (expected or there[0])


def law_asked(directory: Path) -> str:
    """The law that a fit directory's configuration asked for; "" where it has none."""
    law = _config(directory).get("law", "")
    return law if isinstance(law, str) else ""


def _config(directory: Path) -> Mapping[str, Any]:
    """The configuration of the fit that a directory holds; empty where it holds none."""
    if not (directory / "config.json").is_file():
        return {}
    config = files.read_json(directory / "config.json")
    return config if isinstance(config, dict) and config.get("experiment") == "fit" else {}


def _promised(config: Mapping[str, Any]) -> str:
    """The file that method and n_bootstrap of a fit promise."""
    if config.get("method") in ("bayes", "both"):
        return POSTERIOR
    return BOOTSTRAP if config.get("n_bootstrap") else ""


def _law_of(path: Path, named: Mapping[str, str]) -> Law:
    try:
        return forms.get_law(named["law"], named["tie"], named["count"])
    except ValueError as error:
        raise InputError(f"{path}: attribute {error}") from None


def _check_domain(path: Path, law: Law, draws: Mapping[str, np.ndarray]) -> None:
    """Every draw within its parameter's support."""
    least = {parameter.name: 0.0 for parameter in law.parameters if parameter.support != "real"}
    least |= {"tau": 0.0, "sigma": 0.0, "nu": noise.MIN_NU}
    most = {parameter.name: 1.0 for parameter in law.parameters if parameter.support == "unit"}
    for name, values in draws.items():
        if values.shape != draws["tau"].shape:
            raise InputError(f"{path}: {name!r} has {values.shape} draws, 'tau' has {draws['tau'].shape}")
        if name in least and values.min() < least[name]:
            raise InputError(f"{path}: {name!r} has a draw of {values.min():g}, below {least[name]:g}")
        if name in most and values.max() > most[name]:
            raise InputError(f"{path}: {name!r} has a draw of {values.max():g}, above {most[name]:g}")


def _check_sizes(path: Path, name: str, group: xr.Dataset, shape: tuple[int, ...]) -> None:
    """As many draws in a group as in the posterior, but for the prior, whose draws are its own."""
    for dim, size in zip(PER_DRAW, shape, strict=True):
        if name != "prior" and group.sizes.get(dim, size) != size:
            raise InputError(f"{path}: group {name} has {group.sizes[dim]} of {dim!r}, the posterior has {size}")


def _check_rows(path: Path, groups: Mapping[str, xr.Dataset], model_ids: Sequence[str]) -> None:
    """What is known of the rows that were fitted, where it is there, is as readers of it expect."""
    constant = groups.get("constant_data", xr.Dataset())
    for name in ROW_FEATURES if "constant_data" in groups else ():
        if name not in constant or constant[name].dims != ("run",) or constant[name].dtype.kind not in "fiu":
            raise InputError(f"{path}: group constant_data has no numbers {name!r} of its rows")
    if "observed_data" in groups:
        log_loss_R = draws_file.variable(path, groups["observed_data"], "log_loss", ("run",))
        models = (
            [] if constant is None or "model" not in constant else constant["model"].to_numpy().astype(str).tolist()
        )
        if len(models) != len(log_loss_R) or not set(models) <= set(model_ids):
            raise InputError(f"{path}: group constant_data does not say of which fitted model each row is")
    if "log_prior" in groups and "lp" not in groups.get("sample_stats", ()):
        raise InputError(f"{path}: group sample_stats has no 'lp', which belongs to log_prior")


def _check_predictions(
    path: Path, law: Law, draws: Mapping[str, np.ndarray], reference: Reference, rows: xr.Dataset | None
) -> None:
    """Every draw predicts a loss, of the rows that were fitted, or at the reference point where they are not there."""
    if rows is not None and all(need in rows for need in law.needs):
        known = {need: draws_file.variable(path, rows, need, ("run",)).astype(float) for need in law.needs}
        place = "for a row that was fitted"
    else:
        known = {name: np.array([getattr(reference, field)]) for name, field in AT_REFERENCE.items()}
        known["n_embedding"] = np.zeros(1)
        place = "at its reference point"
    blank = np.full(len(next(iter(known.values()))), np.nan)
    features = Features(**{field.name: known.get(field.name, blank) for field in dataclasses.fields(Features)})
    flat = {name: draws[name].reshape(-1) for name in law.names}
    with numerics.double_precision():
        log_loss_WA = np.asarray(predict_draws(law, flat, features, reference))
    if not np.isfinite(log_loss_WA).all():
        draw = int(np.argmin(np.isfinite(log_loss_WA).all(axis=1)))
        raise InputError(f"{path}: draw {draw} of law {law.name!r} predicts no loss {place}; fit again")
