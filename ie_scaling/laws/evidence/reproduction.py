"""The published numbers that this project must reach: fitted again, value by value, beside what was printed."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from ie_scaling.inference import scoring
from ie_scaling.laws import forms
from ie_scaling.laws.evidence import cross_validation, splits
from ie_scaling.laws.evidence.printed import Check, as_stopped, check
from ie_scaling.laws.evidence.splits import Score
from ie_scaling.laws.law import Law
from ie_scaling.laws.least_squares import published, solver
from ie_scaling.laws.least_squares.solver import LeastSquaresFit
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import pose
from ie_scaling.tables import run_table

PUBLISHED_FIGURES = {name: f"fit_set.str.contains('{name}')" for name in ("fig7", "fig8", "fig9")}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Effort:
    """Starts of each least-squares fit, draws of each bootstrap, and the seed of both."""

    n_starts: int
    n_bootstrap: int
    seed: int


@dataclasses.dataclass(frozen=True)
class ShippedTables:
    """The shipped run tables, read once."""

    folder: Path
    NAMES = ("bian2025", "chinchilla", "gadre2024_models", "gemstones_cooldown")

    @functools.cache  # noqa: B019
    def read(self, name: str, where: str = "") -> Observations:
        """Rows of data/NAME.csv."""
        path = self.folder / f"{name}.csv"
        return Observations.from_frame(run_table.read_runs(path, where), str(path))


Row = Callable[[ShippedTables, Effort], list[Check]]


@functools.cache
def published_fit(tables: ShippedTables, figure: str, law: Law) -> tuple[LeastSquaresFit, np.ndarray, np.ndarray]:
    """A law fitted as published to the rows of a figure of [B25]: the fit, 76 losses, predictions."""
    every = tables.read("bian2025")
    fitted = published.fit(pose(law, tables.read("bian2025", PUBLISHED_FIGURES[figure])))
    return fitted, every.loss_R, np.exp(fitted.predict(every.features))


CHINCHILLA = forms.get_law("chinchilla", "alpha=beta")
ASPECT_RATIO = forms.get_law("aspect_ratio", "alpha=beta=gamma")
GAMMA_FREE = forms.get_law("aspect_ratio", "alpha=beta")


def _coefficients(law: Law, printed: Mapping[str, str]) -> Row:
    """Coefficients of the Fig 7 fit; A and B are known only to where curve_fit stopped."""

    def row(tables: ShippedTables, effort: Effort) -> list[Check]:
        stops = published.stopping_points(pose(law, tables.read("bian2025", PUBLISHED_FIGURES["fig7"])))
        return [as_stopped(name, text, [stop.derived[name] for stop in stops]) for name, text in printed.items()]

    return row


def _metrics(figure: str, law: Law, mse: str, r2: str, spearman: str = "") -> Row:
    """MSE and R² over all 76 rows, the fitted ones included, and Spearman over the four 1B models."""

    def row(tables: ShippedTables, effort: Effort) -> list[Check]:
        _, loss_R, prediction_R = published_fit(tables, figure, law)
        large_R = tables.read("bian2025").frame["model_id"].str.startswith("1B").to_numpy()
        checks = [
            check("MSE, all 76 rows", mse, scoring.mse(loss_R, prediction_R)),
            check("R², all 76 rows", r2, scoring.r2(loss_R, prediction_R)),
        ]
        if spearman:
            ours = scoring.spearman(loss_R[large_R], prediction_R[large_R])
            checks.append(check("Spearman, 1B", spearman, ours))
        return checks

    return row


def _predictions(tables: ShippedTables, effort: Effort) -> list[Check]:
    _, _, prediction_R = published_fit(tables, "fig7", ASPECT_RATIO)
    models = tables.read("bian2025").frame["model_id"].tolist()
    printed = {"1B_v1": "2.9161", "1B_v3": "2.9352", "1B_v6": "2.9595", "1B_v8": "2.9533"}
    return [check(model, text, prediction_R[models.index(model)]) for model, text in printed.items()]


def _extrapolated(tables: ShippedTables, effort: Effort) -> list[Check]:
    held_out_R = ~tables.read("bian2025").frame["fit_set"].str.contains("fig7").to_numpy()
    checks = []
    for law, mse, r2 in ((CHINCHILLA, ".00414", ".9843"), (ASPECT_RATIO, ".00065", ".9975")):
        _, loss_R, prediction_R = published_fit(tables, "fig7", law)
        held_out = loss_R[held_out_R], prediction_R[held_out_R]
        checks += [
            check(f"{law.name} MSE, 49 rows held out", mse, scoring.mse(*held_out)),
            check(f"{law.name} R², 49 rows held out", r2, scoring.r2(*held_out)),
        ]
    return checks


def _negative_a(tables: ShippedTables, effort: Effort) -> list[Check]:
    """D = 20N throughout cannot tell A from B: A comes out negative in both laws."""
    fits = {law.name: published_fit(tables, "fig8", law)[0] for law in (CHINCHILLA, ASPECT_RATIO)}
    return [check(f"{name} A, negative", "0", fit.derived["A"], 0.0, at_most=True) for name, fit in fits.items()]


@functools.cache
def _besiroglu(tables: ShippedTables, n_starts: int) -> LeastSquaresFit:
    rows = tables.read("chinchilla", "fit_set == 'besiroglu240'")
    return solver.fit(pose(forms.get_law("chinchilla"), rows), n_starts=n_starts)


def _besiroglu_fit(tables: ShippedTables, effort: Effort) -> list[Check]:
    fitted = _besiroglu(tables, effort.n_starts)
    printed = {"A": ("477.84", 0.1), "B": ("2143.9", 0.6), "E": ("1.81724", 5e-5)}
    note = "flat: L-BFGS ends within 5e-9 of this objective anywhere in this range"
    checks = [check("objective", "1.018274e-3", fitted.objective)]
    checks += [check(name, text, fitted.derived[name], range_, note=note) for name, (text, range_) in printed.items()]
    checks.append(check("alpha", ".34731", fitted.derived["alpha"]))
    return [*checks, check("beta", ".36718", fitted.derived["beta"], 2e-5, note=note)]


def _besiroglu_errors(tables: ShippedTables, effort: Effort) -> list[Check]:
    fitted = _besiroglu(tables, effort.n_starts)
    z_WP = solver.bootstrap(fitted, effort.n_bootstrap, effort.seed, by="row")
    derived = fitted.law.derived(fitted.law.from_free(z_WP), fitted.reference)
    printed = {"A": ".258", "B": ".421", "E": ".014", "alpha": ".0154", "beta": ".0206"}
    checks = []
    for name, text in printed.items():
        logged = name in "ABE"
        error = float(np.std(np.log(derived[name]) if logged else derived[name], ddof=1))
        sampling = 3 * np.sqrt(1 / (2 * 4000) + 1 / (2 * effort.n_bootstrap)) * float(text)
        tolerance = max(sampling, check(name, text, error).tolerance)
        note = f"3 standard errors of the difference of two bootstraps, 4000 and {effort.n_bootstrap} draws"
        checks.append(check(f"SE of {'ln ' * logged}{name}", text, error, tolerance, note=note))
    return checks


def _gemstones(name: str, bound: str) -> Row:
    def row(tables: ShippedTables, effort: Effort) -> list[Check]:
        rows = tables.read("gemstones_cooldown")
        fitted = solver.fit(pose(forms.get_law(name), rows), huber_delta=1e-4, n_starts=effort.n_starts)
        return [check("objective, δ = 1e-4", bound, fitted.objective, 0.0, at_most=True, note="ours may be lower")]

    return row


def _gadre(tables: ShippedTables, effort: Effort) -> list[Check]:
    """Five cheap runs on RedPajama, two expensive ones predicted [G24]."""
    where = "loss_split == 'c4_val' and notes.str.contains('train=rpj')"
    rows = tables.read("gadre2024_models", where)
    n_total, per_token = rows.features.n_total, rows.features.n_tokens / rows.features.n_total
    cheap_R = (n_total < 5e8) & np.isclose(per_token, 20) | (n_total < 2e7) & np.isclose(per_token, 320)
    stops = published.stopping_points(pose(CHINCHILLA, rows.take(cheap_R)))
    error_FR = [100 * np.abs(np.exp(stop.predict(rows.features)) / rows.loss_R - 1) for stop in stops]
    printed = {"rpj-open_lm_1b-32.0": ("1.4B, M = 640", "0.7103"), "rpj-open_lm_7b-1.0": ("6.9B, M = 20", "0.7320")}
    return [
        as_stopped(f"error in % at {model}", text, [error_R[rows.run_ids.index(run)] for error_R in error_FR])
        for run, (model, text) in printed.items()
    ]


def _printed_optima(tables: ShippedTables, effort: Effort) -> list[Check]:
    """Optima of the printed coefficients [B25b], as the law derives them."""
    law = forms.get_law("conditional_published")
    fits = {
        "80M to 297M": ((0.0974, 0.0078), (0.0063, 0.0065), "0.0801", "1.032"),
        "1B only": ((0.238, 0.0176), (0.0051, 0.0062), "0.0739", "1.216"),
    }
    reference = tables.read("bian2025").reference(0.0)
    checks = []
    for name, ((a1, a2), (b1, b2), x_star, r_star) in fits.items():
        params = {"level": 1.0, "a1": a1, "a2_ref": a2 / reference.x0, "b1": b1, "b2_ref": b2 / reference.r0}
        derived = solver.derive(law, params, reference)
        checks += [
            check(f"x*, {name}", x_star, derived["x_star"]),
            check(f"r*, {name}", r_star, derived["r_star"]),
        ]
    return checks


def _exploratory(table: str, printed: Mapping[str, tuple[str, str]]) -> Row:
    """Extrapolation to its last digit; cross-validation within its spread over assignments to folds, or better."""

    def row(tables: ShippedTables, effort: Effort) -> list[Check]:
        rows = tables.read(table)
        every = splits.split(rows, n_folds=5, n_repeats=20, extrapolate=0.25, seed=effort.seed)
        checks = []
        for text, (across, beyond) in printed.items():
            result = cross_validation.evaluate(
                pose(forms.parse(text), rows),
                every,
                huber_delta=1e-3,
                n_starts=effort.n_starts,
                n_fold_starts=8,
                seed=effort.seed,
            )
            score = {kind: 1e4 * float(np.nanmean(values)) for kind, values in result.squared_error_R.items()}
            spread = 2 * 1e4 * float(result.by_repeat.std(ddof=1))
            note = "2 sd over 20 assignments of models to 5 folds; ours may be lower"
            checks += [
                check(
                    f"{text} cross-validation", across, score[Score.CROSS_VALIDATION], spread, at_most=True, note=note
                ),
                check(f"{text} extrapolation", beyond, score[Score.EXTRAPOLATION]),
            ]
        return checks

    return row


ROWS: dict[str, Row] = {
    "b25_fig7_chinchilla": _coefficients(
        CHINCHILLA, {"A": "7720.6", "B": "68572.9", "E": "2.13061", "alpha": ".49467"}
    ),
    "b25_fig7_aspect_ratio": _coefficients(
        ASPECT_RATIO,
        {"A": "54754.4", "B": "778345.5", "E": "2.44751", "alpha": ".61457", "epsilon": "1.1462e-3"},
    ),
    "b25_fig7_gamma_free": _coefficients(GAMMA_FREE, {"gamma": "1.25607", "epsilon": "2.3583e-5"}),
    "b25_fig7_metrics_chinchilla": _metrics("fig7", CHINCHILLA, ".0033", ".9895", "-.40"),
    "b25_fig7_metrics_aspect_ratio": _metrics("fig7", ASPECT_RATIO, ".0006", ".9982", "1.00"),
    "b25_fig7_metrics_gamma_free": _metrics("fig7", GAMMA_FREE, ".0005", ".9985"),
    "b25_fig7_predictions": _predictions,
    "b25_fig7_held_out": _extrapolated,
    "b25_fig8_metrics_chinchilla": _metrics("fig8", CHINCHILLA, ".9824", "-2.1259"),
    "b25_fig8_metrics_aspect_ratio": _metrics("fig8", ASPECT_RATIO, ".1165", ".6293"),
    "b25_fig8_negative_a": _negative_a,
    "b25_fig9_metrics_chinchilla": _metrics("fig9", CHINCHILLA, ".0198", ".9369", "-.40"),
    "b25_fig9_metrics_aspect_ratio": _metrics("fig9", ASPECT_RATIO, ".0008", ".9973", "1.00"),
    "b24_fit": _besiroglu_fit,
    "b24_bootstrap": _besiroglu_errors,
    "gemstones_chinchilla": _gemstones("chinchilla", "2.059406e-4"),
    "gemstones_width_depth": _gemstones("width_depth", "9.00742e-5"),
    "g24_c4": _gadre,
    "b25b_optima": _printed_optima,
    "exploratory_bian2025": _exploratory(
        "bian2025", {"aspect_ratio:free:total": ("3.14", "9.43"), "effective:free:effective": (".91", ".50")}
    ),
    "exploratory_gemstones": _exploratory(
        "gemstones_cooldown",
        {"aspect_ratio:free:total": ("12.5", "50.7"), "effective:free:effective": ("7.5", "16.4")},
    ),
}
