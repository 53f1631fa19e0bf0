"""The fits exactly as published: scipy's curve_fit of the raw coefficients on raw losses [B25] (docs/laws.md).

Squared nats, one start of ones, no bounds, at most 100,000 evaluations; with γ free its own start and γ ≤ 100. It is
here to reproduce printed numbers: A may come out negative, and scipy stops within 1e-5 of the optimum, no nearer.
"""

import warnings

import numpy as np
from scipy import optimize

from ie_scaling.errors import InputError
from ie_scaling.laws.choices import Objective, Status
from ie_scaling.laws.law import Law
from ie_scaling.laws.least_squares.solver import LeastSquaresFit, derive
from ie_scaling.laws.observations import Reference
from ie_scaling.laws.problem import Problem

MAX_EVALUATIONS = 100_000
FREE_GAMMA_START = {"A": 5e4, "B": 5e5, "E": 2.0, "alpha": 0.5, "beta": 0.5, "epsilon": 0.0011, "gamma": 0.5}
MAX_GAMMA = 100.0


def fit(problem: Problem) -> LeastSquaresFit:
    """Least squares of `chinchilla` or `aspect_ratio` as published, for any tie.

    Raises:
      InputError: another law, or ω free.
    """
    check(problem.law)
    return _fit(problem, _raw_names(problem.law))


def stopping_points(problem: Problem) -> list[LeastSquaresFit]:
    """The fit from every order in which curve_fit may be given the raw coefficients; the published one is first.

    The order (rotations of the published one and of its reverse) changes nothing but where the optimizer's tolerance
    lets it stop; so does the last bit of a processor's exp and log.
    """
    names = _raw_names(problem.law)
    orders = [order[i:] + order[:i] for order in (names, names[::-1]) for i in range(len(names))]
    return [_fit(problem, order) for order in orders]


def _fit(problem: Problem, names: list[str]) -> LeastSquaresFit:
    """The fit with the raw coefficients given to curve_fit in the order of `names`."""
    law, reference = problem.law, problem.reference
    values, predict, flag, message = _curve_fit(problem, names)
    residual_R = predict(None, *values) - problem.rows.loss_R
    params = _at_reference(law, dict(zip(names, map(float, values), strict=True)), reference)
    status, reasons = _judge(params, flag, message)
    return LeastSquaresFit(
        problem=problem,
        params=params,
        derived=derive(law, params, reference),
        objective=float(np.sum(residual_R**2)),
        grad_norm=float(np.linalg.norm(_gradient(predict, values, residual_R))),
        status=status,
        reasons=reasons,
        loss_function=Objective.SQUARED,
    )


def _curve_fit(problem: Problem, names: list[str]):
    """Values in the order of `names`, the prediction as a function of them, and scipy's flag and message."""
    law, x, loss_R = problem.law, problem.features, problem.rows.loss_R
    n_R = x.n_total if law.count == "total" else x.n_non_embedding

    def predict(_, *values):
        p = law.with_ties(dict(zip(names, values, strict=True)))
        core_R = p["E"] + p["A"] / n_R ** p["alpha"] + p["B"] / x.n_tokens ** p["beta"]
        return core_R if law.name == "chinchilla" else core_R * (1 + p["epsilon"] * x.aspect_ratio ** p["gamma"])

    options = {"p0": np.ones(len(names))}
    if "gamma" in names:
        ceiling = [MAX_GAMMA if name == "gamma" else np.inf for name in names]
        options = {"p0": [FREE_GAMMA_START[name] for name in names], "bounds": (-np.inf, ceiling)}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # scipy's that the covariance could not be estimated
        try:
            values, *_, message, flag = optimize.curve_fit(
                predict, np.arange(len(loss_R)), loss_R, maxfev=MAX_EVALUATIONS, full_output=True, **options
            )
        except RuntimeError as error:
            raise FloatingPointError(f"law {law.name!r}: curve_fit gave no answer ({error})") from None
    return values, predict, flag, message


def check(law: Law) -> None:
    """Refuse a law or a way of counting N that was not published so.

    Raises:
      InputError: such a one.
    """
    if law.name not in ("chinchilla", "aspect_ratio") or law.count == "effective":
        raise InputError(
            f"objective='squared': published for chinchilla and aspect_ratio under N total or non_embedding, "
            f"not for law {law.name!r} with count {law.count!r}; use huber_log"
        )


def _raw_names(law: Law) -> list[str]:
    """The published order: A, B, E, exponents, then ε and γ where they are the law's."""
    free = ["A", "B", "E", *(name for name in ("alpha", "beta") if name in law.names)]
    if law.name == "aspect_ratio":
        free += ["epsilon", *(name for name in ("gamma",) if name in law.names)]
    return free


def _at_reference(law: Law, raw: dict[str, float], reference: Reference) -> dict[str, float]:
    """Raw coefficients as contributions at the reference point; their signs stay."""
    p = law.with_ties(raw)
    values = raw | {"A_ref": p["A"] * reference.N0 ** -p["alpha"], "B_ref": p["B"] * reference.D0 ** -p["beta"]}
    if law.name == "aspect_ratio":
        values["epsilon_ref"] = p["epsilon"] * reference.R0 ** p["gamma"]
    return {name: float(values[name]) for name in law.names}


def _judge(params: dict[str, float], flag: int, message: str) -> tuple[Status, tuple[str, ...]]:
    if flag not in (1, 2, 3, 4):
        return Status.MAX_STEPS, (" ".join(message.split()),)
    negative = [name for name in ("E", "A_ref", "B_ref") if params[name] < 0]
    if negative:
        reasons = tuple(f"{name}: came out negative, the rows do not determine it" for name in negative)
        return Status.NOT_IDENTIFIED, reasons
    return Status.CONVERGED, ()


def _gradient(predict, values: np.ndarray, residual_R: np.ndarray) -> np.ndarray:
    """Of the objective in the logs of the raw coefficients, by central differences."""
    gradient = []
    for i, value in enumerate(values):
        step = np.zeros(len(values))
        step[i] = 1e-6 * abs(value)
        change_R = (predict(None, *(values + step)) - predict(None, *(values - step))) / 2e-6
        gradient.append(2 * float(np.sum(residual_R * change_R)))
    return np.array(gradient)
