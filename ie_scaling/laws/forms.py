"""The loss laws: each a short frozen object that least squares and NumPyro read alike.

A law is a sum of terms times a product of shape factors,

    L(x; θ) = Σ_t term_t(x; θ) · Π_s factor_s(x; θ),

with N counted as N(ω) = N_non + ω·N_emb: `total` (ω = 1), `non_embedding` (ω = 0) or `effective` (ω free in [0, 1]).
Coefficients are the loss contributions at the reference point, such as A_ref = A·N0^−α: what the data determine best,
and what priors can be stated about. Raw A, B, ε are derived from them. A new law is an entry of LAWS.

  chinchilla   E + A·N^−α + B·D^−β                                   Hoffmann et al., 2203.15556
  aspect_ratio C(N, D)·(1 + ε·R^γ), R = d/n                          Bian et al., 2501.18107, eq. 4
  effective    C(N_eff, D)·(1 + κ·ln(R/R*)²)                         this project
  conditional  C(N, D)·u(d/√N_non; a, x*)·u(r; b, r*)                2510.18245, eq. 3, made identifiable
  width_depth  E + A_d·d^−a + A_n·n^−b + A·N^−α + B·D^−β             Gemstones, 2502.06857
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from ie_scaling.laws.config import COUNTS
from ie_scaling.laws.observations import Features, Reference

Params = Mapping[str, Any]  # scalars by name; arrays of draws where only `derived` reads them
EDGE = 0.05  # how near 0 and 1 the coordinate of a `unit` parameter bends
OMEGA = {"total": 1.0, "non_embedding": 0.0}
COUNT_NEEDS = {
    "total": ("n_total",),
    "non_embedding": ("n_non_embedding",),
    "effective": ("n_non_embedding", "n_embedding"),
}


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One parameter, its support, and its weakly informative prior: Normal(center, spread) on the free coordinate.

    The coordinate is ln(value) for `positive`, the value itself for `real`, and for `unit` the value itself but within
    a few hundredths of 0 and 1 (a logit would bend the posterior of a small ω into a banana). `typical` is the
    prior's middle in the parameter's own units, times the reference quantity named in `per` where there is one.
    Least squares keeps the coordinate within `reach` of the centre.
    """

    name: str
    support: str
    typical: float
    spread: float
    per: str = ""
    reach: float = 12.0

    def center(self, reference: Reference) -> float:
        """The prior's middle as a free coordinate."""
        return self.to_free(self.typical * (getattr(reference, self.per) if self.per else 1.0))

    def to_free(self, value: float) -> float:
        """Value to free coordinate; NaN outside the support, as for a negative coefficient."""
        if self.support == "positive":
            return math.log(value) if value > 0 else math.nan
        return _unclamp(value) if self.support == "unit" else value

    def from_free(self, z: Any) -> jax.Array:
        """Free coordinate to value; any shape."""
        if self.support == "positive":
            return jnp.exp(z)
        return _clamp(z) if self.support == "unit" else z


def _clamp(z: jax.Array) -> jax.Array:
    """The real line to (0, 1): z itself but near the ends, which it approaches smoothly."""
    return EDGE * (jax.nn.softplus(z / EDGE) - jax.nn.softplus((z - 1) / EDGE))


def _unclamp(value: float) -> float:
    """The inverse of `_clamp`; NaN outside (0, 1)."""
    if not 0 < value < 1:
        return math.nan
    return EDGE * math.log(math.expm1(value / EDGE) / -math.expm1((value - 1) / EDGE))


@dataclasses.dataclass(frozen=True)
class Term:
    """A summand or a factor: its parameters, the features it reads, its value and its raw coefficients.

    `value(params, features, N, reference)` is an array like N; `derive(params, reference)` gives the coefficients as
    the literature prints them.
    """

    parameters: tuple[Parameter, ...]
    needs: tuple[str, ...]
    value: Callable[[Params, Features, jax.Array, Reference], jax.Array]
    derive: Callable[[Params, Reference], dict[str, Any]] = lambda p, reference: {}


@dataclasses.dataclass(frozen=True)
class Tie:
    """A named set of equalities: each pair (follower, leader) makes the follower equal the leader."""

    name: str
    equal: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True)
class Law:
    """A loss law with its choice of tie and of what N counts; hashable, so jit may take it as static."""

    name: str
    terms: tuple[Term, ...]
    factors: tuple[Term, ...]
    ties: tuple[Tie, ...]
    tie: str
    count: str

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The free parameters, ω last where it is free."""
        followers = {follower for follower, _ in self._equal}
        every = [parameter for part in (*self.terms, *self.factors) for parameter in part.parameters]
        free = tuple(parameter for parameter in every if parameter.name not in followers)
        return (*free, OMEGA_PARAMETER) if self.count == "effective" else free

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the free parameters."""
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def coefficient_indices(self) -> tuple[int, ...]:
        """Where the summands' coefficients (E, A_ref, B_ref …) stand among the free parameters."""
        return tuple(self.names.index(term.parameters[0].name) for term in self.terms)

    @property
    def needs(self) -> tuple[str, ...]:
        """The features that every row must have."""
        parts = [need for part in (*self.terms, *self.factors) for need in part.needs]
        return tuple(dict.fromkeys((*COUNT_NEEDS[self.count], *parts)))

    @property
    def reference_omega(self) -> float:
        """The ω at which the reference point N0 is taken."""
        return OMEGA.get(self.count, 0.5)

    @property
    def _equal(self) -> tuple[tuple[str, str], ...]:
        return next(tie.equal for tie in self.ties if tie.name == self.tie)

    def from_free(self, z_P: Any) -> dict[str, jax.Array]:
        """Parameters by name from free coordinates, last axis P in the order of `parameters`."""
        return {parameter.name: parameter.from_free(z_P[..., i]) for i, parameter in enumerate(self.parameters)}

    def count_parameters(self, params: Params, features: Features) -> jax.Array:
        """N(ω) of each row."""
        if self.count == "total":
            return features.n_total
        if self.count == "non_embedding":
            return features.n_non_embedding
        return features.n_non_embedding + params["omega"] * features.n_embedding

    def log_loss(self, params: Params, features: Features, reference: Reference) -> jax.Array:
        """ln L̂ in ln(nats per token) of each row; scalar params, pure and differentiable."""
        p = self.with_ties(params)
        n_params = self.count_parameters(p, features)
        log_sum = jnp.log(sum(term.value(p, features, n_params, reference) for term in self.terms))
        return log_sum + sum(jnp.log(factor.value(p, features, n_params, reference)) for factor in self.factors)

    def with_ties(self, params: Params) -> dict[str, Any]:
        """The parameters together with those that a tie makes equal to them."""
        return dict(params) | {follower: params[leader] for follower, leader in self._equal}

    def derived(self, params: Params, reference: Reference) -> dict[str, Any]:
        """Every parameter as the literature prints it: ties filled in, raw coefficients (A, B, ε …) added."""
        p = self.with_ties(params)
        for part in (*self.terms, *self.factors):
            p |= part.derive(p, reference)
        return p


def _power(x: jax.Array, x0: float, exponent: jax.Array) -> jax.Array:
    """(x/x0)^exponent."""
    return jnp.exp(exponent * jnp.log(x / x0))


def _u(z: jax.Array, strength: jax.Array, best: jax.Array) -> jax.Array:
    """1 + k·(ln(z/z*) + z*/z − 1): the curve of 2510.18245 normalised to 1 at its minimum z*."""
    return 1 + strength * (jnp.log(z / best) + best / z - 1)


def _positive(name: str, typical: float, spread: float, per: str = "", reach: float = 12.0) -> Parameter:
    return Parameter(name, "positive", typical, spread, per, reach)


def _exponent(name: str) -> Parameter:
    return _positive(name, 0.4, 0.5, reach=4.0)


OMEGA_PARAMETER = Parameter("omega", "unit", 0.5, 0.4, reach=1.2)
E_TERM = Term((_positive("E", 0.5, 0.5, "L0"),), (), lambda p, x, N, ref: p["E"])
N_TERM = Term(
    (_positive("A_ref", 0.2, 1.0, "L0"), _exponent("alpha")),
    (),
    lambda p, x, N, ref: p["A_ref"] * _power(N, ref.N0, -p["alpha"]),
    lambda p, ref: {"A": p["A_ref"] * ref.N0 ** p["alpha"]},
)
D_TERM = Term(
    (_positive("B_ref", 0.2, 1.0, "L0"), _exponent("beta")),
    ("n_tokens",),
    lambda p, x, N, ref: p["B_ref"] * _power(x.n_tokens, ref.D0, -p["beta"]),
    lambda p, ref: {"B": p["B_ref"] * ref.D0 ** p["beta"]},
)
WIDTH_TERM = Term(
    (_positive("A_d_ref", 0.05, 1.0, "L0"), _exponent("a")),
    ("d_model",),
    lambda p, x, N, ref: p["A_d_ref"] * _power(x.d_model, ref.d0, -p["a"]),
    lambda p, ref: {"A_d": p["A_d_ref"] * ref.d0 ** p["a"]},
)
DEPTH_TERM = Term(
    (_positive("A_n_ref", 0.05, 1.0, "L0"), _exponent("b")),
    ("n_layers",),
    lambda p, x, N, ref: p["A_n_ref"] * _power(x.n_layers, ref.n0, -p["b"]),
    lambda p, ref: {"A_n": p["A_n_ref"] * ref.n0 ** p["b"]},
)
MONOTONE_FACTOR = Term(
    (_positive("epsilon_ref", 0.02, 1.5), Parameter("gamma", "real", 0.5, 1.0)),
    ("aspect_ratio",),
    lambda p, x, N, ref: 1 + p["epsilon_ref"] * _power(x.aspect_ratio, ref.R0, p["gamma"]),
    lambda p, ref: {"epsilon": p["epsilon_ref"] * ref.R0 ** -p["gamma"]},
)
INTERIOR_FACTOR = Term(
    (_positive("kappa", 0.01, 1.5), _positive("R_star", 1.0, 1.0, "R0", reach=8.0)),
    ("aspect_ratio",),
    lambda p, x, N, ref: 1 + p["kappa"] * jnp.log(x.aspect_ratio / p["R_star"]) ** 2,
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

FREE = Tie("free")
ALPHA_BETA = Tie("alpha=beta", (("beta", "alpha"),))
ALL_TIED = Tie("alpha=beta=gamma", (("beta", "alpha"), ("gamma", "alpha")))
CORE = (E_TERM, N_TERM, D_TERM)


def _law(name: str, terms: tuple[Term, ...], factors: tuple[Term, ...], ties: tuple[Tie, ...], count: str) -> Law:
    """A law whose first tie is its default."""
    return Law(name, terms, factors, ties, ties[0].name, count)


LAWS = {
    law.name: law
    for law in (
        _law("chinchilla", CORE, (), (FREE, ALPHA_BETA), "total"),
        _law("aspect_ratio", CORE, (MONOTONE_FACTOR,), (ALL_TIED, ALPHA_BETA, FREE), "total"),
        _law("effective", CORE, (INTERIOR_FACTOR,), (FREE, ALPHA_BETA), "effective"),
        _law("conditional", CORE, (RELATIVE_WIDTH_FACTOR, MLP_ATTENTION_FACTOR), (FREE, ALPHA_BETA), "non_embedding"),
        _law("width_depth", (*CORE, WIDTH_TERM, DEPTH_TERM), (), (FREE, ALPHA_BETA), "total"),
    )
}


def get_law(name: str, tie: str = "", count: str = "") -> Law:
    """The law of this name; empty `tie` and `count` mean its own defaults.

    Raises:
      ValueError: listing the valid names.
    """
    if name not in LAWS:
        raise ValueError(f"law={name!r}: must be one of {', '.join(LAWS)}")
    law = LAWS[name]
    ties = [option.name for option in law.ties]
    if tie and tie not in ties:
        raise ValueError(f"tie={tie!r}: law {name!r} has {', '.join(ties)}")
    if count and count not in COUNTS:
        raise ValueError(f"count={count!r}: must be one of {', '.join(COUNTS)}")
    return dataclasses.replace(law, tie=tie or law.tie, count=count or law.count)
