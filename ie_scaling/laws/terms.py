"""The terms and factors of laws: parameters, priors, values and raw coefficients of each (tags: docs/laws.md)."""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp

from ie_scaling.laws.law import Parameter, Params, Role, Support, Term
from ie_scaling.laws.observations import Features, Reference

# An optimum moves with ln of tokens (or size) near the table's mean, and no farther than SATURATION times its slope:
# beyond a factor of some 20 from the mean it stays.
SATURATION = 2.0


def _power(x: jax.Array, x0: float, exponent: jax.Array) -> jax.Array:
    """(x/x0)^exponent."""
    return jnp.exp(exponent * jnp.log(x / x0))


def _saturate(log_ratio: jax.Array) -> jax.Array:
    """About log_ratio near 0, and ± SATURATION far from it."""
    return SATURATION * jnp.tanh(log_ratio / SATURATION)


def _u(z: jax.Array, strength: jax.Array, best: jax.Array) -> jax.Array:
    """1 + k·(ln(z/z*) + z*/z − 1): the curve of [B25b] normalized to 1 at its minimum z*."""
    return 1 + strength * (jnp.log(z / best) + best / z - 1)


def _positive(name: str, typical: float, spread: float, per: str = "", reach: float = 12.0) -> Parameter:
    return Parameter(name, Support.POSITIVE, typical, spread, per, reach)


def _coefficient(name: str, typical: float) -> Parameter:
    return Parameter(name, Support.POSITIVE, typical, 1.0, "L0", role=Role.COEFFICIENT)


def _exponent(name: str) -> Parameter:
    return Parameter(name, Support.POSITIVE, 0.4, 0.5, reach=4.0, role=Role.EXPONENT)


E_TERM = Term((Parameter("E", Support.POSITIVE, 0.5, 0.5, "L0", role=Role.FLOOR),), (), lambda p, x, N, ref: p["E"])
N_TERM = Term(
    (_coefficient("A_ref", 0.2), _exponent("alpha")),
    (),
    lambda p, x, N, ref: p["A_ref"] * _power(N, ref.N0, -p["alpha"]),
    lambda p, ref: {"A": p["A_ref"] * ref.N0 ** p["alpha"]},
    reads_count=True,
)
D_TERM = Term(
    (_coefficient("B_ref", 0.2), _exponent("beta")),
    ("n_tokens",),
    lambda p, x, N, ref: p["B_ref"] * _power(x.n_tokens, ref.D0, -p["beta"]),
    lambda p, ref: {"B": p["B_ref"] * ref.D0 ** p["beta"]},
)


# 90 % of the prior from 0.13 to 1.9: both the sum, h = 1, and the 0.2 to 0.4 of public tables.
COUPLING_PARAMETER = Parameter("h", Support.POSITIVE, 0.5, 0.8, reach=3.0, role=Role.COUPLING)


def _couple(*powers: Term) -> Term:
    """(a^(1/h) + b^(1/h) + …)^h of these powers: their sum at h = 1, the largest of them as h goes to 0."""

    def value(p: Params, x: Features, N: jax.Array, ref: Reference) -> jax.Array:
        log_powers = jnp.stack([jnp.log(power.value(p, x, N, ref)) for power in powers])
        return jnp.exp(p["h"] * jax.nn.logsumexp(log_powers / p["h"], axis=0))

    def derive(p: Params, ref: Reference) -> dict[str, Any]:
        return {name: raw for power in powers for name, raw in power.derive(p, ref).items()}

    return Term(
        (*(parameter for power in powers for parameter in power.parameters), COUPLING_PARAMETER),
        tuple(need for power in powers for need in power.needs),
        value,
        derive,
        reads_count=any(power.reads_count for power in powers),
        parts=powers,
    )


COUPLED_TERM = _couple(N_TERM, D_TERM)
WIDTH_TERM = Term(
    (_coefficient("A_d_ref", 0.05), _exponent("a")),
    ("d_model",),
    lambda p, x, N, ref: p["A_d_ref"] * _power(x.d_model, ref.d0, -p["a"]),
    lambda p, ref: {"A_d": p["A_d_ref"] * ref.d0 ** p["a"]},
)
DEPTH_TERM = Term(
    (_coefficient("A_n_ref", 0.05), _exponent("b")),
    ("n_layers",),
    lambda p, x, N, ref: p["A_n_ref"] * _power(x.n_layers, ref.n0, -p["b"]),
    lambda p, ref: {"A_n": p["A_n_ref"] * ref.n0 ** p["b"]},
)
MONOTONE_FACTOR = Term(
    (_positive("epsilon_ref", 0.02, 1.5), Parameter("gamma", Support.REAL, 0.5, 1.0)),
    ("aspect_ratio",),
    lambda p, x, N, ref: 1 + p["epsilon_ref"] * _power(x.aspect_ratio, ref.R0, p["gamma"]),
    lambda p, ref: {"epsilon": p["epsilon_ref"] * ref.R0 ** -p["gamma"]},
)
INTERIOR_FACTOR = Term(
    (_positive("kappa", 0.01, 1.5), _positive("R_star", 1.0, 1.0, "R0", reach=8.0)),
    ("aspect_ratio",),
    lambda p, x, N, ref: 1 + p["kappa"] * (jnp.log(x.aspect_ratio) - jnp.log(p["R_star"])) ** 2,
)


def _from_moving_optimum(p: Params, x: Features, slope: str, ratio: jax.Array) -> jax.Array:
    """ln(R/R*) less how far the optimum has moved at this ratio to the reference point."""
    return jnp.log(x.aspect_ratio) - jnp.log(p["R_star"]) - p[slope] * _saturate(jnp.log(ratio))


MOVING_WITH_N_FACTOR = Term(
    (*INTERIOR_FACTOR.parameters, Parameter("slope_N", Support.REAL, 0.0, 0.3)),
    ("aspect_ratio",),
    lambda p, x, N, ref: 1 + p["kappa"] * _from_moving_optimum(p, x, "slope_N", N / ref.N0) ** 2,
    reads_count=True,
)
MOVING_WITH_D_FACTOR = Term(
    (*INTERIOR_FACTOR.parameters, Parameter("slope_D", Support.REAL, 0.0, 0.3)),
    ("aspect_ratio",),
    lambda p, x, N, ref: 1 + p["kappa"] * _from_moving_optimum(p, x, "slope_D", x.n_tokens / ref.D0) ** 2,
)
QUERY_GROUP_FACTOR = Term(
    (Parameter("eta_g", Support.REAL, 0.0, 0.02, reach=0.5),),
    ("query_group",),
    lambda p, x, N, ref: 1 + p["eta_g"] * jnp.log(x.query_group),
)
RELATIVE_WIDTH_FACTOR = Term(
    (_positive("k_x", 0.05, 1.5), _positive("x_star", 1.0, 1.0, "x0", reach=8.0)),
    ("d_model", "n_non_embedding"),
    lambda p, x, N, ref: _u(x.d_model / jnp.sqrt(x.n_non_embedding), p["k_x"], p["x_star"]),
)
MLP_ATTENTION_FACTOR = Term(
    (_positive("k_r", 0.05, 1.5), _positive("r_star", 1.0, 1.0, "r0", reach=8.0)),
    ("mlp_attention_ratio",),
    lambda p, x, N, ref: _u(x.mlp_attention_ratio, p["k_r"], p["r_star"]),
)


# The published form of [B25b] about the reference point, level and slopes: A(x) = a0 + a1·ln x + a2/x with
# a0 = level − a1·ln x0 − a2/x0, and B(r) likewise with level 1, which fixes the scale that A and B could trade.
OPTIMAL_LOSS = Term((), ("loss_optimal",), lambda p, x, N, ref: x.loss_optimal)
WIDTH_CURVE_PARAMETERS = (Parameter("a1", Support.REAL, 0.05, 0.1), Parameter("a2_ref", Support.REAL, 0.05, 0.1))
MLP_CURVE_PARAMETERS = (Parameter("b1", Support.REAL, 0.02, 0.05), Parameter("b2_ref", Support.REAL, 0.02, 0.05))


def _width_curve(p: Params, x: Features, N: jax.Array, ref: Reference) -> jax.Array:
    """level + a1·ln(x/x0) + a2·(1/x − 1/x0)."""
    relative = x.d_model / jnp.sqrt(x.n_non_embedding) / ref.x0
    return p["level"] + p["a1"] * jnp.log(relative) + p["a2_ref"] * (1 / relative - 1)


def _mlp_curve(p: Params, x: Features, N: jax.Array, ref: Reference) -> jax.Array:
    """b1·ln(r/r0) + b2·(1/r − 1/r0)."""
    relative = x.mlp_attention_ratio / ref.r0
    return p["b1"] * jnp.log(relative) + p["b2_ref"] * (1 / relative - 1)


def _width_coefficients(p: Params, ref: Reference) -> dict[str, Any]:
    """As printed: a0, a2, and the optimum x* = a2/a1."""
    a2 = p["a2_ref"] * ref.x0
    return {"a0": p["level"] - p["a1"] * math.log(ref.x0) - p["a2_ref"], "a2": a2, "x_star": a2 / p["a1"]}


def _mlp_coefficients(p: Params, ref: Reference) -> dict[str, Any]:
    """As printed: b0, b2, and the optimum r* = b2/b1."""
    b2 = p["b2_ref"] * ref.r0
    return {"b0": 1 - p["b1"] * math.log(ref.r0) - p["b2_ref"], "b2": b2, "r_star": b2 / p["b1"]}


def _additive_coefficients(p: Params, ref: Reference) -> dict[str, Any]:
    """As printed: a0 takes b0 in."""
    coefficients = _mlp_coefficients(p, ref)
    return coefficients | {"a0": p["a0"] + coefficients.pop("b0") - 1}


WIDTH_CURVE_FACTOR = Term(
    (Parameter("level", Support.REAL, 1.0, 0.05, reach=2.0), *WIDTH_CURVE_PARAMETERS),
    ("d_model", "n_non_embedding"),
    _width_curve,
    _width_coefficients,
)
MLP_CURVE_FACTOR = Term(
    MLP_CURVE_PARAMETERS,
    ("mlp_attention_ratio",),
    lambda p, x, N, ref: 1 + _mlp_curve(p, x, N, ref),
    _mlp_coefficients,
)
WIDTH_CURVE_TERM = dataclasses.replace(
    WIDTH_CURVE_FACTOR, parameters=(Parameter("level", Support.REAL, 0.0, 0.05, reach=2.0), *WIDTH_CURVE_PARAMETERS)
)
MLP_CURVE_TERM = dataclasses.replace(
    MLP_CURVE_FACTOR,
    value=_mlp_curve,
    derive=_additive_coefficients,
)
