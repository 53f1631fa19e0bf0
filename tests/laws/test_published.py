"""The numbers of [B25], fitted as its authors did."""

import numpy as np
import pytest

from ie_scaling.laws import forms, published, scoring
from tests.laws.simulated import read

ROWS = read("bian2025")
LARGE_R = np.array([ROWS.model_ids[model].startswith("1B") for model in ROWS.model_R])
ROWS_OF = {name: f"fit_set.str.contains('{name}')" for name in ("fig7", "fig8", "fig9")}


def fit(figure, law, tie):
    fitted = published.fit(forms.get_law(law, tie), read("bian2025", ROWS_OF[figure]))
    return fitted, np.exp(fitted.predict(ROWS.features))


@pytest.mark.parametrize(
    ("figure", "law", "mse", "r2", "spearman"),
    [
        ("fig7", "chinchilla", ".0033", ".9895", "-0.40"),
        ("fig7", "aspect_ratio", ".0006", ".9982", "1.00"),
        ("fig8", "chinchilla", ".9824", "-2.1259", "0.40"),
        ("fig8", "aspect_ratio", ".1165", ".6293", "0.80"),
        ("fig9", "chinchilla", ".0198", ".9369", "-0.40"),
        ("fig9", "aspect_ratio", ".0008", ".9973", "1.00"),
    ],
)
def test_printed_metrics(figure, law, mse, r2, spearman):
    _, prediction_R = fit(figure, law, "alpha=beta" if law == "chinchilla" else "")
    assert f"{scoring.mse(ROWS.loss_R, prediction_R):.4f}".removeprefix("0") == mse
    assert f"{scoring.r2(ROWS.loss_R, prediction_R):.4f}".removeprefix("0") == r2
    assert f"{scoring.spearman(ROWS.loss_R[LARGE_R], prediction_R[LARGE_R]):.2f}" == spearman


def test_figure_7_coefficients_and_predictions():
    """A and B are determined by scipy's stopping rule to about 1e-5 only."""
    chinchilla, _ = fit("fig7", "chinchilla", "alpha=beta")
    assert chinchilla.derived["A"] == pytest.approx(7720.6, rel=1e-5)
    assert chinchilla.derived["B"] == pytest.approx(68572.9, rel=1e-5)
    assert f"{chinchilla.derived['E']:.5f} {chinchilla.derived['alpha']:.5f}" == "2.13061 0.49467"
    aspect, prediction_R = fit("fig7", "aspect_ratio", "")
    assert aspect.derived["A"] == pytest.approx(54754.4, rel=2e-5)
    assert aspect.derived["B"] == pytest.approx(778345.5, rel=3e-5)
    assert f"{aspect.derived['E']:.5f} {aspect.derived['alpha']:.5f}" == "2.44751 0.61457"
    assert f"{aspect.derived['epsilon']:.4e}" == "1.1462e-03"
    assert [f"{value:.4f}" for value in prediction_R[LARGE_R]] == ["2.9161", "2.9352", "2.9595", "2.9533"]


def test_figure_7_held_out_rows():
    held_R = ~ROWS.frame["fit_set"].str.contains("fig7").to_numpy()
    assert held_R.sum() == 49
    for law, mse, r2 in (("chinchilla", "0.00414", "0.9843"), ("aspect_ratio", "0.00065", "0.9975")):
        _, prediction_R = fit("fig7", law, "alpha=beta" if law == "chinchilla" else "")
        assert f"{scoring.mse(ROWS.loss_R[held_R], prediction_R[held_R]):.5f}" == mse
        assert f"{scoring.r2(ROWS.loss_R[held_R], prediction_R[held_R]):.4f}" == r2


def test_gamma_free():
    fitted, prediction_R = fit("fig7", "aspect_ratio", "alpha=beta")
    assert fitted.derived["gamma"] == pytest.approx(1.25607, abs=1e-5)
    assert fitted.derived["epsilon"] == pytest.approx(2.3583e-5, rel=2e-4)
    assert f"{scoring.mse(ROWS.loss_R, prediction_R):.4f}" == "0.0005"
    assert f"{scoring.r2(ROWS.loss_R, prediction_R):.4f}" == "0.9985"


def test_a_negative_coefficient_is_reported():
    fitted, _ = fit("fig8", "aspect_ratio", "")
    assert fitted.status == "not_identified"
    assert fitted.derived["A"] < 0


def test_other_laws_are_refused():
    with pytest.raises(ValueError, match="objective='squared': published for chinchilla and aspect_ratio"):
        published.fit(forms.get_law("effective"), ROWS)
