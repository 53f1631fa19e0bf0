"""A loss law's posterior as one netCDF file that ArviZ reads: the fields of Posterior, written, read and checked.

The file's groups are those of ArviZ (posterior, sample_stats, prior, log_prior, log_likelihood, posterior_predictive,
observed_data, constant_data), and `fitted_shapes` and `quantities`; nothing else in the package knows their names.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ie_scaling.errors import InputError
from ie_scaling.inference import draws_file, numerics
from ie_scaling.inference.draws import Origin
from ie_scaling.inference.draws_file import PER_DRAW
from ie_scaling.laws import forms
from ie_scaling.laws.bayes import fitted_shapes, noise
from ie_scaling.laws.bayes.discrepancy import Sines
from ie_scaling.laws.bayes.fitted_rows import FittedRows
from ie_scaling.laws.bayes.fitted_shapes import FittedShapes
from ie_scaling.laws.choices import Misses
from ie_scaling.laws.law import Law, Support
from ie_scaling.laws.least_squares.solver import predict_draws
from ie_scaling.laws.observations import Features, Reference

if TYPE_CHECKING:
    from ie_scaling.laws.bayes.posterior import Posterior

METHOD_OF = {"posterior.nc": Origin.BAYES, "bootstrap.nc": Origin.BOOTSTRAP}  # by the file's name, if one of these
FAILED = "fit_failures"  # an attribute, where there are some
REFERENCE_FIELDS = tuple(field.name for field in dataclasses.fields(Reference))
PER_ROW = (*PER_DRAW, "run")
FEATURES = tuple(field.name for field in dataclasses.fields(Features))
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


def write(path: Path, posterior: "Posterior") -> None:
    """Write the file, whole or not at all; what derives from the draws is in it too."""
    p, law = posterior, posterior.law
    coords = draws_file.coordinates(p) | {"model": np.array(p.model_ids, dtype=str)}
    drawn = draws_file.per_draw(p.derived | p.draws).assign_coords(coords)
    drawn = drawn.assign(u=((*PER_DRAW, "model"), p.effects_CSM))
    if p.slopes_CSM is not None:
        drawn = drawn.assign(v=((*PER_DRAW, "model"), p.slopes_CSM))
    if p.sines_CSK is not None:
        drawn = drawn.assign(sines=((*PER_DRAW, "sine"), p.sines_CSK))
    tree = {"posterior": drawn}
    named = {"sample_stats": p.stats, "prior": p.prior, "log_prior": p.log_prior}
    tree |= {name: draws_file.per_draw(values) for name, values in named.items() if values}
    if p.fitted_rows is not None:
        tree |= _row_groups(p, p.fitted_rows)
    if p.quantities:
        tree["quantities"] = draws_file.per_draw(p.quantities)
    attributes: dict[str, Any] = {"law": law.name, "tie": law.tie, "count": law.count, "method": str(p.method)}
    attributes |= {"failures": json.dumps(p.failures)}
    if p.misses != Misses.INDEPENDENT:  # a file without the attribute is of these
        attributes["misses"] = str(p.misses)
    if p.fit_failures:  # the file in a fit directory has none, as diagnostics.json beside it holds them
        attributes[FAILED] = json.dumps(p.fit_failures)
    attributes |= {name: float(getattr(p.reference, name)) for name in REFERENCE_FIELDS}
    draws_file.write(path, tree, attributes)


def _row_groups(posterior: "Posterior", rows: FittedRows) -> dict[str, xr.Dataset]:
    """The groups that are of the fitted rows."""
    coords = {"run": np.array(rows.run_ids, dtype=str)}
    models = np.array([posterior.model_ids[model] for model in rows.model_R], dtype=str)
    drawn = {"log_likelihood": posterior.log_likelihood_CSR, "posterior_predictive": posterior.replicated_CSR}
    groups = {
        name: xr.Dataset({"log_loss": (PER_ROW, values)}, coords=coords)
        for name, values in drawn.items()
        if values is not None
    }
    groups["observed_data"] = xr.Dataset({"log_loss": ("run", rows.log_loss_R)}, coords=coords)
    constants: dict[str, Any] = {name: ("run", getattr(rows.features, name)) for name in FEATURES}
    groups["constant_data"] = xr.Dataset(constants | {"model": ("run", models)}, coords=coords)
    shapes = {name: ("model", rows.shapes.column(name)) for name in fitted_shapes.FIELDS}
    return groups | {"fitted_shapes": xr.Dataset(shapes)}


def read(path: Path, law: str = "") -> dict[str, Any]:
    """The fields of the Posterior in a file that `write` wrote.

    Args:
      law: the law that it must be of; "" takes any.

    Raises:
      InputError: no such file, not such a file, another law's, or one whose draws cannot be that law's.
    """
    data, groups = draws_file.read(path)
    form, reference, method = _read_attributes(path, data, law)
    misses = _read_misses(path, data)
    names = (*form.names, *noise.NAMES, *(noise.SMOOTH_NAMES if misses == Misses.SMOOTH else ()))
    draws = {name: draws_file.variable(path, data, name, PER_DRAW, np.float64) for name in names}
    model_ids = draws_file.labels(path, data, "model")
    if not model_ids:
        raise InputError(f"{path}: names no model that was fitted")
    _check_domain(path, form, draws)
    for name, group in groups.items():
        _check_sizes(path, name, group, draws["tau"].shape)
    if "log_prior" in groups and "lp" not in groups.get("sample_stats", ()):
        raise InputError(f"{path}: group sample_stats has no 'lp', which belongs to log_prior")
    rows = _read_rows(path, groups, model_ids)
    _check_predictions(path, form, draws, reference, None if rows is None else groups["constant_data"])
    drawn = {name: draws_file.read_per_draw(path, groups, name) for name in ("sample_stats", "prior", "log_prior")}
    if drawn["prior"] and (missing := [name for name in names if name not in drawn["prior"]]):
        raise InputError(f"{path}: group prior has no {missing[0]!r}, which the law needs")
    return {
        "law": form,
        "reference": reference,
        "method": method,
        "draws": draws,
        "effects_CSM": draws_file.variable(path, data, "u", (*PER_DRAW, "model"), np.float64),
        "model_ids": model_ids,
        **(_read_discrepancy(path, data, rows) if misses == Misses.SMOOTH else {}),
        "failures": tuple(draws_file.items(path, data, "failures", str)),
        "fit_failures": tuple(draws_file.items(path, data, FAILED, str)) if FAILED in data.attrs else (),
        "stats": drawn["sample_stats"],
        "prior": drawn["prior"],
        "log_prior": drawn["log_prior"],
        "quantities": draws_file.read_per_draw(path, groups, "quantities"),
        "fitted_rows": rows,
        "log_likelihood_CSR": _read_row_draws(path, groups, "log_likelihood", rows),
        "replicated_CSR": _read_row_draws(path, groups, "posterior_predictive", rows),
    }


def _read_attributes(path: Path, data: xr.Dataset, law: str) -> tuple[Law, Reference, Origin]:
    """The law, which must be of the name `law` ("" takes any), its reference point, and what the draws are of."""
    named = {name: draws_file.word(path, data, name) for name in ("law", "tie", "count", "method")}
    reference = Reference(**{name: draws_file.number(path, data, name) for name in REFERENCE_FIELDS})
    if wrong := [name for name in REFERENCE_FIELDS if getattr(reference, name) <= 0]:
        raise InputError(f"{path}: attribute {wrong[0]}={getattr(reference, wrong[0]):g} must be above zero")
    if law and named["law"] != law:
        raise InputError(f"{path}: is of law {named['law']!r}, not {law!r}")
    if named["method"] not in [*Origin]:
        raise InputError(f"{path}: attribute method={named['method']!r} must be one of {', '.join(Origin)}")
    if METHOD_OF.get(path.name, named["method"]) != named["method"]:
        raise InputError(f"{path}: holds draws of method {named['method']!r}, not what its name says; fit again")
    try:
        return forms.get_law(named["law"], named["tie"], named["count"]), reference, Origin(named["method"])
    except ValueError as error:
        raise InputError(f"{path}: attribute {error}") from None


def _read_misses(path: Path, data: xr.Dataset) -> Misses:
    """What the posterior lets its law miss."""
    value = draws_file.word(path, data, "misses") if "misses" in data.attrs else Misses.INDEPENDENT
    if value not in [*Misses]:
        raise InputError(f"{path}: attribute misses={value!r} must be one of {', '.join(Misses)}")
    return Misses(value)


def _check_domain(path: Path, law: Law, draws: Mapping[str, np.ndarray]) -> None:
    """Every draw within its parameter's support."""
    least = {parameter.name: 0.0 for parameter in law.parameters if parameter.support is not Support.REAL}
    least |= {"tau": 0.0, "sigma": 0.0, "nu": noise.MIN_NU, "tau_smooth": 0.0, "tau_tokens": 0.0}
    most = {parameter.name: 1.0 for parameter in law.parameters if parameter.support is Support.UNIT}
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


def _read_rows(path: Path, groups: Mapping[str, xr.Dataset], model_ids: tuple[str, ...]) -> FittedRows | None:
    """The rows that were fitted; None where the file has none of them."""
    there = [name for name in ("constant_data", "observed_data") if name in groups]
    if not there:
        return None
    if len(there) == 1:
        raise InputError(f"{path}: has group {there[0]} without the other of constant_data and observed_data")
    constant = groups["constant_data"]
    for name in FEATURES:
        expected = name in constant or name in ROW_FEATURES
        if expected and (
            name not in constant or constant[name].dims != ("run",) or constant[name].dtype.kind not in "fiu"
        ):
            raise InputError(f"{path}: group constant_data has no numbers {name!r} of its rows")
    log_loss_R = draws_file.variable(path, groups["observed_data"], "log_loss", ("run",))
    models = [] if "model" not in constant else constant["model"].to_numpy().astype(str).tolist()
    if len(models) != len(log_loss_R) or not set(models) <= set(model_ids):
        raise InputError(f"{path}: group constant_data does not say of which fitted model each row is")
    blank_R = np.full(len(log_loss_R), np.nan)
    features = Features(**{name: constant[name].to_numpy() if name in constant else blank_R for name in FEATURES})
    model_R = np.array([model_ids.index(model) for model in models], np.int32)
    shapes = _read_shapes(path, groups.get("fitted_shapes"), model_ids)
    return FittedRows(
        tuple(constant["run"].to_numpy().astype(str).tolist()),
        features,
        log_loss_R,
        model_R,
        FittedShapes.of_features(features, model_R, model_ids) if shapes is None else shapes,
    )


def _read_shapes(path: Path, group: xr.Dataset | None, model_ids: tuple[str, ...]) -> FittedShapes | None:
    if group is None:
        return None
    shapes = FittedShapes.unknown(model_ids)
    for index, name in enumerate(fitted_shapes.FIELDS):
        if name in group:
            values = group[name].to_numpy()
            if values.shape != (len(model_ids),) or values.dtype.kind not in "fiu":
                raise InputError(f"{path}: group fitted_shapes must hold a number for each of {len(model_ids)} models")
            shapes.values_MF[:, index] = values
    return shapes


def _read_discrepancy(path: Path, data: xr.Dataset, rows: FittedRows | None) -> dict[str, Any]:
    """v, and s where the draws have it, of smooth misses."""
    fields: dict[str, Any] = {}
    fields["slopes_CSM"] = draws_file.variable(path, data, "v", (*PER_DRAW, "model"), np.float64)
    if "sines" in data:
        sines = Sines() if rows is None else Sines.about(rows.features)
        weight_CSK = draws_file.variable(path, data, "sines", (*PER_DRAW, "sine"), np.float64)
        if weight_CSK.shape[-1] != len(sines):
            raise InputError(f"{path}: has {weight_CSK.shape[-1]} sines, its fitted rows make {len(sines)}; fit again")
        fields |= {"sines": sines, "sines_CSK": weight_CSK}
    return fields


def _read_row_draws(
    path: Path, groups: Mapping[str, xr.Dataset], name: str, rows: FittedRows | None
) -> np.ndarray | None:
    """Draws of each fitted row, [C, S, R]; None where the file has none."""
    if name not in groups or rows is None:
        return None
    values = draws_file.array(path, groups[name], "log_loss", PER_ROW, f"group {name}: ")
    if values.shape[-1] != len(rows):
        raise InputError(f"{path}: group {name} has {values.shape[-1]} rows, {len(rows)} were fitted")
    return values


def _check_predictions(
    path: Path, law: Law, draws: Mapping[str, np.ndarray], reference: Reference, rows: xr.Dataset | None
) -> None:
    """Every draw predicts a loss, of the rows that were fitted, or at the reference point where they are not there."""
    if rows is not None and all(need in rows for need in law.needs):
        known = {need: draws_file.variable(path, rows, need, ("run",)).astype(float) for need in law.needs}
        where = "for a row that was fitted"
    else:
        known = {name: np.array([getattr(reference, field)]) for name, field in AT_REFERENCE.items()}
        known["n_embedding"] = np.zeros(1)
        where = "at its reference point"
    blank = np.full(len(next(iter(known.values()))), np.nan)
    features = Features(**{name: known.get(name, blank) for name in FEATURES})
    flat = {name: draws[name].reshape(-1) for name in law.names}
    with numerics.double_precision():
        log_loss_WA = np.asarray(predict_draws(law, flat, features, reference))
    if not np.isfinite(log_loss_WA).all():
        draw = int(np.argmin(np.isfinite(log_loss_WA).all(axis=1)))
        raise InputError(f"{path}: draw {draw} of law {law.name!r} predicts no loss {where}; fit again")
