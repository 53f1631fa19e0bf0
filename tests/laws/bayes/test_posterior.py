"""The posterior's file, its predictions at three levels, and its errors."""

import warnings

import numpy as np
import pytest
import xarray as xr

from ie_scaling.inference import numerics
from ie_scaling.laws import forms
from ie_scaling.laws.bayes import posterior as posterior_lib
from ie_scaling.laws.least_squares import solver
from ie_scaling.laws.level import Level
from ie_scaling.laws.observations import Observations, features_of
from tests.laws.simulated import shapes, simulate, truth

GROUPS = {
    "posterior",
    "sample_stats",
    "log_likelihood",
    "prior",
    "log_prior",
    "posterior_predictive",
    "observed_data",
    "constant_data",
}
FEATURES = features_of(shapes(), 2e9)


@pytest.fixture(scope="module")
def posterior(fit_directory):
    return posterior_lib.load_fit(fit_directory)


def test_arviz_reads_the_file(fit_directory, posterior):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # arviz 0.23 announces its successor on import
        import arviz
    data = arviz.from_netcdf(fit_directory / "posterior.nc")
    for group in GROUPS:
        assert hasattr(data, group), group
    assert data.posterior.attrs["law"] == "chinchilla"
    assert data.posterior.attrs["N0"] == posterior.reference.N0
    np.testing.assert_array_equal(data.posterior["alpha"].to_numpy(), posterior.draws["alpha"])
    assert set(data.posterior["u"].dims) == {"chain", "draw", "model"}


@pytest.mark.parametrize("name", ["posterior.nc", "bootstrap.nc"])
def test_round_trip(fit_directory, tmp_path, name):
    first = posterior_lib.load(fit_directory / name, law="chinchilla")
    first.save(tmp_path / "again.nc")
    second = posterior_lib.load(tmp_path / "again.nc")
    assert (second.law, second.reference, second.method) == (first.law, first.reference, first.method)
    assert second.model_ids == first.model_ids
    for draws in first.draws:
        np.testing.assert_array_equal(second.draws[draws], first.draws[draws])
    ours, theirs = (
        each.losses(FEATURES, level="new_run", seed=1, model_ids=first.model_ids).all() for each in (first, second)
    )
    np.testing.assert_array_equal(ours, theirs)


def test_the_truth_is_covered(posterior):
    """At 99 % each, and at 90 % most of them; the table was simulated with τ = 0.004, σ = 0.006 about known curves."""
    simulated = simulate(forms.get_law("chinchilla"), tokens=(1e8, 3e8, 1e9, 3e9))
    reference = Observations.from_frame(simulated).reference(1.0)
    raw = solver.derive(posterior.law, truth(posterior.law), reference)
    draws = posterior.derived | posterior.draws
    wanted = {name: raw[name] for name in ("E", "A", "B", "alpha", "beta")} | {"tau": 0.004, "sigma": 0.006}
    quantiles = {name: np.mean(draws[name] < value) for name, value in wanted.items()}
    assert all(0.005 < quantile < 0.995 for quantile in quantiles.values()), quantiles
    assert sum(0.05 < quantile < 0.95 for quantile in quantiles.values()) >= 5, quantiles


def log_losses(posterior, features, level, model_ids=None):
    """ln of all draws, [W, A]."""
    return np.log(posterior.losses(features, level=level, model_ids=model_ids).all())


def test_levels_widen(posterior):
    spread = {level: log_losses(posterior, FEATURES, level).std(axis=0).mean() for level in Level}
    assert spread["law"] < spread["shape"] < spread["new_run"]
    tau_W, nu_W = (posterior.draws[name].ravel() for name in ("tau", "nu"))
    sigma_WA = posterior.scale_of_runs(FEATURES)
    difference_WA = log_losses(posterior, FEATURES, "new_run") - log_losses(posterior, FEATURES, "law")
    expected = np.mean(tau_W**2) + np.mean(sigma_WA**2 * (nu_W / (nu_W - 2))[:, None])
    assert difference_WA.var() == pytest.approx(expected, rel=0.25)


def free_of(posterior):
    """Free coordinates of every draw, [W, P]."""
    columns = [np.vectorize(p.to_free)(posterior.draws[p.name].ravel()) for p in posterior.law.parameters]
    return np.stack(columns, axis=-1)


def test_whoever_asks_gets_the_same_draws_in_blocks_or_at_once(posterior):
    names = [shape.name for shape in shapes()]
    asked = posterior.losses(FEATURES, level="new_run", seed=5, model_ids=names)
    again = posterior.losses(shapes(), FEATURES.n_tokens, level="new_run", seed=5)
    np.testing.assert_array_equal(asked(np.array([7, 3]), np.array([0, 2])), again.all()[[7, 3]][:, [0, 2]])


def test_rows_of_one_new_model_share_its_effect_and_rows_of_unknown_ones_do_not(posterior):
    few = FEATURES.take(np.array([0, 1, 2]))
    fresh_WA = log_losses(posterior, few, "shape") - log_losses(posterior, few, "law")
    assert abs(np.corrcoef(fresh_WA.T)[0, 1]) < 0.3
    shared_WA = log_losses(posterior, few, "shape", ["one", "one", "two"]) - log_losses(posterior, few, "law")
    np.testing.assert_allclose(shared_WA[:, 0], shared_WA[:, 1], atol=1e-12)
    assert abs(np.corrcoef(shared_WA.T)[0, 2]) < 0.3


def test_architectures_are_predicted_in_nats(posterior):
    loss_WA = posterior.losses(shapes(), 2e9, level="law").all()
    law_draws = posterior.law.from_free(free_of(posterior))
    with numerics.double_precision():
        by_hand_WA = solver.predict_draws(posterior.law, law_draws, FEATURES, posterior.reference)
    np.testing.assert_allclose(np.log(loss_WA), by_hand_WA, rtol=1e-12)
    twice_WA = posterior.losses(shapes()[:1] * 2, [2e9, 4e9], level="shape").all()
    assert (twice_WA[:, 1] < twice_WA[:, 0]).all()  # one shape, one effect


def test_a_fitted_model_keeps_its_effect(posterior):
    names = [posterior.model_ids[0], "another", "another"]
    few = FEATURES.take(np.array([0, 1, 2]))
    effect_WA = log_losses(posterior, few, "shape", names) - log_losses(posterior, few, "law")
    np.testing.assert_allclose(effect_WA[:, 0], posterior.effects_CSM[..., 0].ravel(), atol=1e-12)
    np.testing.assert_allclose(effect_WA[:, 1], effect_WA[:, 2], atol=1e-12)


def test_token_equivalents_buy_the_regret_back(posterior):
    few = FEATURES.take(np.array([2, 3]))
    log_loss_WA = log_losses(posterior, few, "law")
    factor_WA = posterior.token_equivalent(few, log_loss_WA)
    assert (factor_WA[log_loss_WA == log_loss_WA.min(axis=1, keepdims=True)] == 1).all()
    w = int(np.flatnonzero(np.isfinite(factor_WA).all(axis=1))[0])
    more = few.scale_tokens(factor_WA[w])
    np.testing.assert_allclose(log_losses(posterior, more, "law")[w], log_loss_WA[w].min(), rtol=1e-9)


def test_summary_has_raw_coefficients(posterior):
    table = posterior.summary()
    assert {"E", "A", "B", "alpha", "beta", "tau", "sigma", "nu"} <= set(table)
    assert table["alpha"]["lo90"] < table["alpha"]["median"] < table["alpha"]["hi90"]


def test_errors(fit_directory, tmp_path, posterior):
    with pytest.raises(ValueError, match="is of law 'chinchilla', not 'effective'"):
        posterior_lib.load(fit_directory / "posterior.nc", law="effective")
    with pytest.raises(ValueError, match="no such file"):
        posterior_lib.load(tmp_path / "absent.nc")
    with pytest.raises(ValueError, match=r"has neither posterior\.nc nor bootstrap\.nc"):
        posterior_lib.load_fit(tmp_path)
    (tmp_path / "text.nc").write_text("not netCDF")
    with pytest.raises(ValueError, match="not a netCDF posterior"):
        posterior_lib.load(tmp_path / "text.nc")
    bare = xr.DataTree.from_dict({"posterior": xr.Dataset({"E": ("draw", [1.0])}, attrs={"law": "chinchilla"})})
    bare.to_netcdf(tmp_path / "bare.nc", engine="h5netcdf")
    with pytest.raises(ValueError, match="does not end in its checksum"):
        posterior_lib.load(tmp_path / "bare.nc")
    with pytest.raises(ValueError, match="level='run': must be one of law, shape, new_run"):
        posterior.losses(FEATURES, level="run")
    with pytest.raises(ValueError, match="at least one architecture"):
        posterior.losses(FEATURES.take(np.array([], int)), level="law")
    with pytest.raises(ValueError, match="n_tokens must be given with architectures"):
        posterior.losses(shapes(), level="law")
