"""Ranking of named shapes and of a grid: the optimum found, levels apart, pieces equal to the whole, bad input."""

import dataclasses
import importlib

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from ie_scaling import accounting
from ie_scaling.errors import InputError
from ie_scaling.laws import forms
from ie_scaling.laws.bayes import posterior, stacking
from ie_scaling.laws.observations import Reference, features_of
from ie_scaling.running import files
from ie_scaling.search import belief, by_law, ranked, ranking, space
from ie_scaling.search.config import GridConfig, RankConfig
from ie_scaling.search.space import Space

GRID = GridConfig(
    n_params=2e6, tolerance=0.08, width_step=16, max_width=512, aspect_ratios=(3.0, 400.0), d_head=16, vocab_size=512
)


@pytest.fixture
def fit(tmp_path):
    """A posterior whose optimum lies at R = 40 under total N, with an effect of its own for one shape."""
    rng = np.random.default_rng(0)
    means = {"E": 1.5, "A_ref": 0.5, "alpha": 0.4, "B_ref": 0.5, "beta": 0.4, "kappa": 0.02, "R_star": 40.0}
    draws = {name: value * np.exp(0.02 * rng.normal(size=(2, 300))) for name, value in means.items()}
    draws |= {"tau": np.full((2, 300), 0.002), "sigma": np.full((2, 300), 0.004), "nu": np.full((2, 300), 10.0)}
    draws |= {"sigma_fall_N": np.full((2, 300), 0.1), "sigma_fall_D": np.full((2, 300), 0.0)}
    made = posterior.Posterior(
        law=forms.get_law("effective", count="total"),
        reference=Reference(N0=3e6, D0=1e8, R0=30, d0=96, n0=4, r0=1.5, x0=0.2, g0=2, L0=3.0, L_min=2.5),
        method="bayes",
        draws=draws,
        effects_CSM=np.full((2, 300, 1), -0.05),
        model_ids=("d64-n8-h4-k4-c16-f192-v512",),
    )
    fitted = {"n_total": ("run", np.array([1e6, 1e7])), "n_tokens": ("run", np.array([1e7, 1e9]))}
    made.groups["constant_data"] = xr.Dataset(fitted | {"aspect_ratio": ("run", np.array([2.0, 400.0]))})
    made.save(tmp_path / "fit" / "posterior.nc")
    return RankConfig(fit=str(tmp_path / "fit"), candidates=(), grid=GRID, n_tokens=1e8, top_k=3)


def test_a_grid_holds_every_shape_of_about_that_size():
    shapes = space.enumerate_grid(dataclasses.replace(GRID, equal_size=False))
    sizes = np.array([accounting.count_parameters(shape) for shape in shapes])
    assert len(shapes) == len(set(shapes)) >= 10
    assert (np.abs(sizes / 2e6 - 1) <= 0.08 + 1e-6).all()
    for shape in shapes:  # one layer more or fewer leaves the tolerance, or is in the grid too
        for n_layers in (shape.n_layers - 1, shape.n_layers + 1):
            if n_layers < 1 or not 3 <= shape.d_model / n_layers <= 400:
                continue
            other = dataclasses.replace(shape, n_layers=n_layers)
            assert other in shapes or abs(accounting.count_parameters(other) / 2e6 - 1) > 0.08


def test_the_best_of_the_grid_is_near_the_optimum(fit, tmp_path):
    config = dataclasses.replace(fit, level="law")
    warnings = ranked.run(config, tmp_path / "out")
    assert all("has no term for the ratio of MLP to attention" in warning for warning in warnings), warnings
    table = pd.read_csv(tmp_path / "out" / "ranking.csv")
    best = table.iloc[0]
    assert best["expected_regret"] == table["expected_regret"].min()
    ratios = (table["d_model"] / table["n_layers"]).to_numpy()
    assert abs(np.log(ratios[0] / 40)) < 0.5
    assert table["loss_lo90"].lt(table["loss_mean"]).all()
    assert 0 < best["p_best"] <= best["p_top_k"] <= 1
    answer = files.read_json(tmp_path / "out" / "rank.json")
    assert answer["best"] == best["architecture"]
    assert "P(best)" in ranked.describe(answer, table)


def test_levels_differ_and_a_trained_shape_keeps_its_own_effect(fit):
    names = ("d64-n8-h4-k4-c16-f192-v512", "d96-n3-h4-k4-c16-f256-v512", "d128-n2-h4-k4-c16-f320-v512")
    config = dataclasses.replace(fit, candidates=names, grid=GridConfig())
    table, _ = ranked.rank(config, *ranked.load(config))
    own = table.set_index("architecture").loc[names[0]]
    assert own["p_best_shape"] > 0.99  # e^−0.05 of its own
    assert own["p_best_law"] != own["p_best_shape"]
    assert own["token_factor_median"] == 1.0
    assert table["p_beats_best"].iloc[0] == 0.5


@pytest.mark.parametrize("level", posterior.LEVELS)
def test_pieces_equal_the_whole(fit, level):
    made = posterior.load_fit(fit.fit)
    shapes = space.enumerate_grid(GRID)
    losses_of = made.losses_of(features_of(shapes, 1e8), level, 3, [shape.name for shape in shapes])
    whole = losses_of(np.arange(40))
    np.testing.assert_array_equal(losses_of(np.array([7, 31])), whole[[7, 31]])
    np.testing.assert_array_equal(losses_of(np.array([5]), np.array([2, 9])), whole[5:6, [2, 9]])
    summary = ranking.stream(losses_of, 40, len(shapes), 3)
    np.testing.assert_allclose(summary.expected_regret_A, ranking.expected_regret(whole))
    np.testing.assert_allclose(summary.rank_probability_AK, ranking.rank_probabilities(whole, 3))


def test_spread_of_the_pieces_is_that_of_predict(fit):
    made = posterior.load_fit(fit.fit)
    shapes = space.enumerate_grid(GRID)[:4]
    features, names = features_of(shapes, 1e8), [shape.name for shape in shapes]
    ours = np.log(made.losses_of(features, "new_run", 0, names)(np.arange(600)))
    theirs = made.log_losses(features, "new_run", 0, model_ids=names)
    np.testing.assert_allclose(ours.std(axis=0), theirs.std(axis=0), rtol=0.15)
    np.testing.assert_allclose(ours.mean(axis=0), theirs.mean(axis=0), atol=0.003)


@pytest.mark.parametrize("name", ["diagnostics.json", "certificate.json"])
def test_a_failed_certificate_reaches_the_answer(fit, tmp_path, name):
    lines = {"diagnostics.json": "certificate effective: models left out: 90 % intervals cover 40 % of their rows"}
    line = lines.get(name, "models left out: 90 % intervals cover 40 % of their rows")
    files.write_json(tmp_path / "fit" / name, {"passed": False, "failures": [line, "convergence: R-hat 1.2 of E"]})
    warnings = ranked.run(fit, tmp_path / "out")
    said = [warning for warning in warnings if "certificate" in warning or "convergence" in warning]
    assert said == ["law effective: certificate: models left out: 90 % intervals cover 40 % of their rows"]
    assert files.read_json(tmp_path / "out" / "rank.json")["warnings"] == warnings


def test_what_is_no_diagnostics_is_refused(fit, tmp_path):
    files.write_json(tmp_path / "fit" / "diagnostics.json", {"failures": [1]})
    with pytest.raises(InputError, match=r"diagnostics\.json: failures must be a list of lines"):
        ranked.run(fit, tmp_path / "out")


def stack_of(weight_K, n_unreliable_K):
    """Stacked laws of these weights; what else is known of them does not matter."""
    every = {field.name: weight_K for field in dataclasses.fields(stacking.Stack)}
    return stacking.Stack(**every | {"n_unreliable_K": n_unreliable_K})


def test_stacked_laws_at_odds_and_their_unreliable_weights_are_said(fit, tmp_path):
    """Two laws of one weight, whose optima lie at R = 40 and far above; each prefers another shape."""
    first = posterior.load_fit(fit.fit)
    second = dataclasses.replace(first, draws=first.draws | {"R_star": 10 * first.draws["R_star"]})
    half = np.array([0.5, 0.5])
    stack = stack_of(half, np.array([0, 1]))
    mixed, space_ = belief.Belief((first, second), stack), Space.of((), GRID)
    config = dataclasses.replace(fit, level="law", n_compared=1)
    _, answer = ranked.rank(config, mixed, space_)
    assert [line for line in answer["warnings"] if "1 of 1 models have Pareto k above 0.7 when left out" in line]
    laws = by_law.compare(config, mixed, space_, answer["best"])
    assert laws["best"].nunique() == 2
    lines = by_law.at_odds(laws, answer["best"])
    assert lines
    assert all("(weight 0.50) prefers" in line and f"to {answer['best']}: P(best)" in line for line in lines)


def test_a_mixture_spreads_its_laws_over_its_draws(fit):
    """Every batch of draws, and so the Monte Carlo error, has each law's share."""
    first = posterior.load_fit(fit.fit)
    second = dataclasses.replace(first, draws=first.draws | {"E": first.draws["E"] + 1})
    half = np.array([0.25, 0.75])
    stack = stack_of(half, np.array([0, 0]))
    names = space.candidates((), GRID)[:2]
    losses_of = belief.Belief((first, second), stack).losses_of(features_of(names, 1e8), "law", 0, ["a", "b"])
    share_B = [(batch == 1).mean() for batch in np.array_split(losses_of.law_W, 12)]
    np.testing.assert_allclose(share_B, 0.75, atol=0.03)
    loss_WA = losses_of(np.arange(600))
    np.testing.assert_array_equal(losses_of(np.array([3, 5, 4]))[:, 1], loss_WA[[3, 5, 4], 1])
    np.testing.assert_array_equal(losses_of.means(np.arange(600)), loss_WA)


def test_draws_that_predict_no_loss_are_one_line_that_names_draw_and_candidate(fit, tmp_path):
    made = posterior.load_fit(fit.fit)
    made.draws["E"][1, 7] = np.nan
    with pytest.raises(InputError, match=r"law effective: draw 307 of the posterior predicts a loss of nan for 'd\d+"):
        ranked.rank(fit, belief.Belief((made,)), Space.of((), GRID))


def test_a_dry_run_reads_what_the_run_reads(fit, tmp_path):
    verb = importlib.import_module("experiments.rank")
    assert all("no term for" in line for line in verb.check(fit, tmp_path / "out"))
    with pytest.raises(InputError, match="nowhere"):
        verb.check(dataclasses.replace(fit, fit="nowhere"), tmp_path / "out")


def test_far_sizes_are_answered_with_how_far(fit, tmp_path):
    names = ("d1024-n16-h16-k16-c64-f2752-v32000", "d2048-n4-h16-k16-c128-f5504-v32000")
    warnings = ranked.run(dataclasses.replace(fit, candidates=names, grid=GridConfig()), tmp_path / "out")
    assert any(
        warning.startswith("n_total reaches") and "times beyond the largest fitted" in warning for warning in warnings
    )
    assert (tmp_path / "out" / "ranking.csv").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grid": GridConfig()}, "candidates: none"),
        ({"grid": dataclasses.replace(GRID, n_params=9e3)}, "grid.n_params=9000: no shape comes within"),
        ({"candidates": ("llama-9",)}, "llama-9.*unknown architecture"),
        ({"fit": "nowhere"}, "nowhere"),
        ({"fit": "x" * 5000}, "fit=.*no usable path"),
        ({"fit": ".,./"}, "names a directory twice"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(fit, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        ranked.run(dataclasses.replace(fit, **changes), tmp_path / "out")
    assert not (tmp_path / "out").exists()
