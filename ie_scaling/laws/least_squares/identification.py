"""What a design cannot tell: which parameters of a law are left open by the rows, and why."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from ie_scaling.inference import numerics
from ie_scaling.laws.choices import Status
from ie_scaling.laws.law import Law, Role, Support, Term
from ie_scaling.laws.observations import Features, Reference
from ie_scaling.laws.problem import Problem

MIN_SPREAD = 0.15  # sd of ln(feature) that must remain at fixed N and D for its effect to be distinguished from theirs
SAME = 1e-6  # spread of ln(feature) below which it does not vary at all
# Standard errors of the free coordinate beyond which a parameter is open.
MAX_ERROR = {Support.POSITIVE: 2.5, Support.REAL: 3.0, Support.UNIT: 2.5}
BOUNDLESS = 20.0  # beyond it the size of the error says nothing more
NEAR_BOUND = 1e-6
NEAR_EDGE = 0.5  # the box of ω's coordinate ends 0.7 beyond 0 and 1; here ω is within 1e-3 of them
FLOOR_NOISE = 1e-7  # nats: below this residuals are rounding
MIN_CURVATURE = 1e-9  # of the largest singular value of ∂ln L̂/∂z


def judge(
    problem: Problem, z_P: np.ndarray, low_P: np.ndarray, high_P: np.ndarray, small_gradient: bool
) -> tuple[Status, tuple[str, ...]]:
    """Status and reasons of a fit that ended at z."""
    bound_P = _bound_messages(problem.law, z_P, low_P, high_P)
    open_reasons = (*design_gaps(problem.law, problem.features), *open_parameters(problem, z_P, bound_P))
    if open_reasons:
        return Status.NOT_IDENTIFIED, open_reasons
    if any(bound_P):
        return Status.AT_BOUND, tuple(message for message in bound_P if message)
    if not small_gradient:
        return Status.MAX_STEPS, ("the gradient is still above its tolerance",)
    return Status.CONVERGED, ()


def design_gaps(law: Law, features: Features) -> tuple[str, ...]:
    """Parameters that no loss values could determine, because a feature follows others throughout the rows."""
    log_n = np.log(features.n_non_embedding if law.count == "non_embedding" else features.n_total)
    log_d = np.log(features.n_tokens)
    messages = []
    if law.size_powers and _spread(log_d, log_n) < MIN_SPREAD:
        ratio = np.exp(np.mean(log_d - log_n))
        cause = (
            f"tokens are {ratio:.3g} × parameters throughout"
            if np.std(log_d - log_n) < MIN_SPREAD
            else ("tokens follow parameters throughout")
        )
        powers = (*law.size_powers, *law.token_powers)
        messages.append(
            f"{_free_names(law, Role.COEFFICIENT, powers)}, {_free_names(law, Role.EXPONENT, powers)}: {cause}"
        )
    n_budgets = len(np.unique(np.round(log_d, 2)))
    exponents = _free_names(law, Role.EXPONENT, law.token_powers)
    if n_budgets < 3 and exponents:
        names = [
            _free_names(law, Role.FLOOR, law.terms),
            _free_names(law, Role.COEFFICIENT, law.token_powers),
            exponents,
        ]
        counts = f"{n_budgets} token count{'s' * (n_budgets > 1)}"
        messages.append(f"{', '.join(filter(None, names))}: only {counts}, three are needed for a curve")
    for part in law.shape_parts:
        names = ", ".join(parameter.name for parameter in part.parameters if parameter.name in law.names)
        feature, values = _shape_feature(part, features)
        if np.ptp(values) < SAME:
            messages.append(f"{names}: {feature} is {np.exp(values[0]):.3g} throughout")
        elif law.size_powers and _spread(values, log_n, log_d) < MIN_SPREAD:
            messages.append(f"{names}: {feature} follows parameters and tokens throughout")
    return tuple(messages)


def _free_names(law: Law, role: Role, terms: Sequence[Term]) -> str:
    """The free parameters of this role in these terms, with commas between."""
    return ", ".join(name for term in terms if (name := term.name_of(role)) in law.names)


def _shape_feature(part: Term, features: Features) -> tuple[str, np.ndarray]:
    """The name and the log of the feature of the shape that a term or factor reads."""
    if "n_non_embedding" in part.needs:
        return "d_model/sqrt(n_non_embedding)", np.log(features.d_model / np.sqrt(features.n_non_embedding))
    return part.needs[0], np.log(getattr(features, part.needs[0]))


def open_parameters(problem: Problem, z_P: np.ndarray, bound_P: list[str]) -> tuple[str, ...]:
    """Parameters whose standard error in free coordinates is beyond use, from the curvature at the fit."""
    law = problem.law
    moving = np.array([not message for message in bound_P])
    with numerics.double_precision():
        linear = _linearize(law, jnp.asarray(z_P), problem.features, problem.reference)
        log_loss_R, jacobian_RP = jax.device_get(linear)
    residual_R = problem.log_loss_R - log_loss_R
    noise = max(1.4826 * float(np.median(np.abs(residual_R))), FLOOR_NOISE)
    _, singular_P, basis_PP = np.linalg.svd(jacobian_RP[:, moving], full_matrices=False)
    lost = singular_P <= MIN_CURVATURE * singular_P[0]
    error_of_direction_P = np.where(lost, 1e6, noise / np.maximum(singular_P, 1e-300))
    deviation_PP = error_of_direction_P[:, None] * np.where(np.abs(basis_PP) > 1e-4, basis_PP, 0.0)
    error_P = np.sqrt(np.sum(deviation_PP**2, axis=0))
    names = np.array(law.names)[moving]
    limits = np.array([MAX_ERROR[p.support] for p in law.parameters])[moving]
    supports = [p.support for p, is_moving in zip(law.parameters, moving, strict=True) if is_moving]
    return tuple(
        f"{name}: {_openness(support, error)}"
        for name, error, limit, support in zip(names, error_P, limits, supports, strict=True)
        if error > limit
    )


@functools.partial(jax.jit, static_argnums=0, compiler_options=numerics.RUN_ONCE_OPTIONS)
def _linearize(law: Law, z_P: jax.Array, features: Features, reference: Reference) -> tuple[jax.Array, jax.Array]:
    """ln L̂ of each row and its Jacobian [R, P]."""

    def log_loss(z_P):
        value_R = law.log_loss(law.from_free(z_P), features, reference)
        return value_R, value_R

    jacobian_RP, log_loss_R = jax.jacfwd(log_loss, has_aux=True)(z_P)
    return log_loss_R, jacobian_RP


def _openness(support: Support, error: float) -> str:
    """How far the rows leave a parameter open, from the standard error of its free coordinate."""
    if error > BOUNDLESS:
        return "the rows do not constrain it"
    return f"the rows leave it open by {'a factor of e^' if support is Support.POSITIVE else '± '}{error:.3g}"


def _bound_messages(law: Law, z_P: np.ndarray, low_P: np.ndarray, high_P: np.ndarray) -> list[str]:
    """For each parameter, which end of its range it sits at, or ""."""
    messages = []
    for parameter, z, low, high in zip(law.parameters, z_P, low_P, high_P, strict=True):
        margin = NEAR_EDGE if parameter.support is Support.UNIT else NEAR_BOUND  # ω runs off beyond 0 and 1
        end = "smallest" if z - low <= margin else "largest" if high - z <= margin else ""
        messages.append(f"{parameter.name}: at the {end} value allowed" if end else "")
    return messages


def _spread(values_R: np.ndarray, *others: np.ndarray) -> float:
    """sd of values once an affine function of the others is taken out; columns that do not vary are left aside."""
    design = np.column_stack([np.ones_like(values_R), *others])
    return float(np.std(values_R - design @ np.linalg.lstsq(design, values_R, rcond=None)[0]))
