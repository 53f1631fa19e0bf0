"""What a law is made of: parameters with supports and priors, terms, ties, and the Law that sums and multiplies."""

import dataclasses
import enum
import functools
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ie_scaling.laws.observations import Features, Reference

Params = Mapping[str, Any]  # scalars by name; arrays of draws where only `derived` reads them
SHAPE_FEATURES = frozenset({"d_model", "n_layers", "aspect_ratio", "mlp_attention_ratio", "query_group"})
EDGE = 0.2  # how far from 0 and 1 the coordinate of a UNIT parameter bends
OMEGA = {"total": 1.0, "non_embedding": 0.0}
COUNT_NEEDS = {
    "total": ("n_total",),
    "non_embedding": ("n_non_embedding",),
    "effective": ("n_non_embedding", "n_embedding"),
}


class Support(enum.StrEnum):
    """The values that a parameter may take: above zero, any, or between 0 and 1."""

    POSITIVE = enum.auto()
    REAL = enum.auto()
    UNIT = enum.auto()


class Role(enum.StrEnum):
    """What a parameter is to its term."""

    FLOOR = enum.auto()  # of the loss
    COEFFICIENT = enum.auto()  # of a power
    EXPONENT = enum.auto()
    COUPLING = enum.auto()  # of powers, h
    COUNT = enum.auto()  # what an embedding parameter counts for, ω
    OTHER = enum.auto()


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One parameter, its support, and its weakly informative prior: Normal(center, spread) on the free coordinate.

    The coordinate is ln(value) for POSITIVE, the value itself for REAL, and for UNIT the value itself in the middle but
    bent near 0 and 1 (a logit would make a banana of the posterior of a small ω). `typical` is the median of the prior
    in the parameter's own units, times the reference quantity named in `per` where there is one. Least squares keeps
    the coordinate within `reach` of the center. Code asks for a parameter by its `role`, never by name or position.
    """

    name: str
    support: Support
    typical: float
    spread: float
    per: str = ""
    reach: float = 12.0
    role: Role = Role.OTHER

    def center(self, reference: Reference) -> float:
        """The prior's median as a free coordinate."""
        return self.to_free(self.typical * (getattr(reference, self.per) if self.per else 1.0))

    def to_free(self, value: float) -> float:
        """Value to free coordinate; NaN outside the support, as for a negative coefficient."""
        if self.support is Support.POSITIVE:
            return math.log(value) if value > 0 else math.nan
        return _unclamp(value) if self.support is Support.UNIT else value

    def from_free(self, z: Any) -> Any:
        """Free coordinate to value; any shape, NumPy in NumPy out."""
        xp = jnp if isinstance(z, jax.Array) else np
        if self.support is Support.POSITIVE:
            return xp.exp(z)
        return _clamp(z, xp) if self.support is Support.UNIT else z


def _clamp(z: Any, xp: Any) -> Any:
    """The real line to (0, 1): z itself but near the ends, which it approaches smoothly."""
    return EDGE * (xp.logaddexp(0.0, z / EDGE) - xp.logaddexp(0.0, (z - 1) / EDGE))


def _unclamp(value: float) -> float:
    """The inverse of `_clamp`; NaN outside (0, 1)."""
    if not 0 < value < 1:
        return math.nan
    return EDGE * math.log(math.expm1(value / EDGE) / -math.expm1((value - 1) / EDGE))


@dataclasses.dataclass(frozen=True)
class Term:
    """A summand or a factor: its parameters, the features it reads, its value and its raw coefficients.

    `value(params, features, N, reference)` is an array like N; `derive(params, reference)` gives the coefficients as
    the literature prints them. `reads_count` says that the value depends on N. `parts` are the powers that a term
    combines, where it is made of several: their parameters are among its own.
    """

    parameters: tuple[Parameter, ...]
    needs: tuple[str, ...]
    value: Callable[[Params, Features, jax.Array, Reference], jax.Array]
    derive: Callable[[Params, Reference], dict[str, Any]] = lambda p, reference: {}
    reads_count: bool = False
    parts: tuple["Term", ...] = ()

    @property
    def powers(self) -> tuple["Term", ...]:
        """The powers that it is, or combines; those of a coefficient and an exponent."""
        return tuple(part for part in self.parts or (self,) if part.name_of(Role.EXPONENT))

    def name_of(self, role: Role) -> str | None:
        """The name of its parameter of this role; None without one."""
        return next((parameter.name for parameter in self.parameters if parameter.role == role), None)


@dataclasses.dataclass(frozen=True)
class Tie:
    """A named set of equalities: each pair (follower, leader) makes the follower equal the leader."""

    name: str
    equal: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True)
class Law:
    """A loss law with its choice of tie and of what N counts; hashable, so jit may take it as static.

    `formula` and `citation` are for people: the law in the literature's letters, and where it comes from.
    """

    name: str
    formula: str
    citation: str
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
    def needs_no_count(self) -> bool:
        """Whether N itself stands nowhere in the law, so that ways of counting it do not differ."""
        return not any(part.reads_count for part in (*self.terms, *self.factors))

    @property
    def powers(self) -> tuple[Term, ...]:
        """The powers that the summands are, or combine."""
        return tuple(power for term in self.terms for power in term.powers)

    @property
    def size_powers(self) -> tuple[Term, ...]:
        """Those of N."""
        return tuple(power for power in self.powers if power.reads_count)

    @property
    def token_powers(self) -> tuple[Term, ...]:
        """Those of D."""
        return tuple(power for power in self.powers if "n_tokens" in power.needs)

    @property
    def positions(self) -> dict[str, int]:
        """The index of each parameter among the free ones; of one that a tie sets, its leader's."""
        return self.with_ties({name: index for index, name in enumerate(self.names)})

    def positions_of(self, role: Role) -> list[int]:
        """The indices of the free parameters of this role."""
        return [index for index, parameter in enumerate(self.parameters) if parameter.role == role]

    @property
    def shape_parts(self) -> tuple[Term, ...]:
        """The terms and factors that read a feature of the shape itself."""
        return tuple(part for part in (*self.terms, *self.factors) if {*part.needs} & SHAPE_FEATURES)

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

    def from_free(self, z_P: Any) -> dict[str, Any]:
        """Parameters by name from free coordinates, last axis P in the order of `parameters`; NumPy in NumPy out."""
        return {parameter.name: parameter.from_free(z_P[..., i]) for i, parameter in enumerate(self.parameters)}

    def count_parameters(self, params: Params, features: Features) -> jax.Array:
        """N(ω) of each row."""
        if self.count == "total":
            return features.n_total
        if self.count == "non_embedding":
            return features.n_non_embedding
        return features.n_non_embedding + params[OMEGA_PARAMETER.name] * features.n_embedding

    def log_loss(self, params: Params, features: Features, reference: Reference) -> jax.Array:
        """ln L̂ in ln(nats per token) of each row; scalar params, pure and differentiable."""
        p = self.with_ties(params)
        n_params = self.count_parameters(p, features)
        parts = [sum(term.value(p, features, n_params, reference) for term in self.terms)]
        parts += [factor.value(p, features, n_params, reference) for factor in self.factors]
        return jnp.log(functools.reduce(operator.mul, parts))

    def with_ties(self, params: Params) -> dict[str, Any]:
        """The parameters together with those that a tie makes equal to them."""
        return dict(params) | {follower: params[leader] for follower, leader in self._equal}

    def derived(self, params: Params, reference: Reference) -> dict[str, Any]:
        """Every parameter as the literature prints it: ties filled in, raw coefficients (A, B, ε …) added."""
        p = self.with_ties(params)
        for part in (*self.terms, *self.factors):
            p |= part.derive(p, reference)
        return p


OMEGA_PARAMETER = Parameter("omega", Support.UNIT, 0.5, 0.4, reach=3.3, role=Role.COUNT)
