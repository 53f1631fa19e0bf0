"""What the reader of a loss posterior refuses, one line each."""

import numpy as np
import pytest
import xarray as xr

from ie_scaling.errors import InputError
from ie_scaling.inference import draws_file
from ie_scaling.laws.bayes import posterior as posterior_lib
from ie_scaling.laws.choices import Misses
from tests.laws import small_posterior, small_smooth


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / "posterior.nc"
    small_posterior.make().save(path)
    return path


@pytest.fixture(scope="module")
def content(path):
    return path.read_bytes()


@pytest.fixture(scope="module")
def written(path):
    return draws_file.read(path)


def change_what_is_read(written, monkeypatch, change):
    """As if the file had been written, checksum and all, with its posterior and groups changed."""
    data, groups = written
    tree = {"posterior": data.copy(deep=True), **groups}
    change(tree)
    monkeypatch.setattr(draws_file, "read", lambda path: (tree.pop("posterior"), tree))


def set_attribute(name, value):
    def change(tree):
        tree["posterior"] = tree["posterior"].assign_attrs({name: value})

    return change


def drop(name):
    def change(tree):
        tree["posterior"] = tree["posterior"].drop_vars(name)

    return change


def drop_attribute(name):
    def change(tree):
        del tree["posterior"].attrs[name]

    return change


def set_draws(name, function):
    def change(tree):
        tree["posterior"] = tree["posterior"].assign({name: function(tree["posterior"][name])})

    return change


def set_one(name, value):
    def one(values):
        values = values.copy()
        values[0, 3] = value
        return values

    return set_draws(name, one)


def rename_models(tree):
    tree["posterior"] = tree["posterior"].assign_coords(model=np.array(["same", "same"]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop_attribute("law"), "attribute 'law' is missing"),
        (drop_attribute("N0"), "attribute 'N0' is missing"),
        (drop_attribute("failures"), "attribute 'failures' is missing"),
        (set_attribute("law", ""), "attribute law='' must be text"),
        (set_attribute("law", 3), "attribute law=.*3.* must be text"),
        (set_attribute("tie", np.array([1.0, 2.0])), "attribute tie=.* must be text"),
        (set_attribute("law", "x" * 5000), "attribute law=.* must be a name on one line"),
        (set_attribute("method", "one\ntwo"), "attribute method=.* must be a name on one line"),
        (set_attribute("law", "newton"), "attribute law='newton': must be one of"),
        (set_attribute("count", "some"), "attribute count='some'"),
        (set_attribute("method", "guess"), "attribute method='guess' must be one of bayes, bootstrap"),
        (set_attribute("N0", "many"), "attribute N0='many' must be a finite number"),
        (set_attribute("D0", np.inf), "attribute D0=.*inf.* must be a finite number"),
        (set_attribute("failures", "3"), "must be a JSON list of strings"),
        (set_attribute("failures", "[1]"), "must be a JSON list of strings"),
        (set_attribute("failures", "{"), "must be a JSON list of strings"),
        (set_attribute("failures", "[" * 100_000), "must be a JSON list of strings"),
        (drop("alpha"), "has no 'alpha'"),
        (drop("nu"), "has no 'nu'"),
        (drop("u"), "has no 'u'"),
        (drop("model"), "no labels of 'model'"),
        (rename_models, "model 'same' stands there twice"),
        (set_draws("E", lambda values: values.isel(draw=0)), r"'E' has dimensions \('chain',\)"),
        (set_draws("E", lambda values: values.astype(str)), "'E' is of type .* not float64"),
        (set_draws("E", lambda values: values.astype("float32")), "'E' is of type float32, not float64"),
        (set_attribute("L0", 0.0), "attribute L0=0 must be above zero"),
        (set_one("beta", np.nan), r"'beta' is nan at \(0, 3\)"),
        (set_one("beta", np.inf), r"'beta' is inf at \(0, 3\)"),
        (set_one("alpha", -0.1), "'alpha' has a draw of -0.1, below 0"),
        (set_one("omega", 1.5), "'omega' has a draw of 1.5, above 1"),
        (set_one("nu", 1.0), "'nu' has a draw of 1, below 2"),
        (set_one("u", np.nan), "'u' is nan"),
        (set_one("alpha", 1e4), "draw 3 of law 'effective' predicts no loss for a row that was fitted"),
        (
            lambda tree: tree.update(
                constant_data=tree["constant_data"].assign(n_non_embedding=tree["constant_data"]["n_total"] * np.nan)
            ),
            "'n_non_embedding' is nan",
        ),
        (lambda tree: tree.pop("observed_data"), "has group constant_data without the other of constant_data and obs"),
        (lambda tree: tree.pop("constant_data"), "has group observed_data without the other of constant_data and obs"),
        (
            lambda tree: tree.update(constant_data=tree["constant_data"].drop_vars("n_tokens")),
            "group constant_data has no numbers 'n_tokens' of its rows",
        ),
        (lambda tree: tree.update(observed_data=xr.Dataset()), "has no 'log_loss'"),
        (
            lambda tree: tree.update(constant_data=tree["constant_data"].drop_vars("model")),
            "does not say of which fitted model each row is",
        ),
        (
            lambda tree: tree.update(observed_data=xr.Dataset({"log_loss": ("run", np.ones(4))})),
            "does not say of which fitted model each row is",
        ),
        (
            lambda tree: tree.update(fitted_shapes=xr.Dataset({"d_model": ("model", np.ones(3))})),
            "group fitted_shapes must hold a number for each of 2 models",
        ),
        (
            lambda tree: tree.update(quantities=xr.Dataset({"x": ("chain", np.ones(2))})),
            r"group quantities: 'x' has dimensions \('chain',\)",
        ),
        (
            lambda tree: tree.update(prior=tree["posterior"].drop_vars(["E", "u"])),
            "group prior has no 'E', which the law needs",
        ),
        (lambda tree: tree.update(log_prior=xr.Dataset()), "group sample_stats has no 'lp'"),
        (lambda tree: tree.update(log_likelihood=xr.Dataset({"x": ("draw", np.ones(3))})), "has 3 of 'draw'"),
    ],
)
def test_what_no_fit_writes_is_refused_in_one_line(path, written, monkeypatch, change, message):
    change_what_is_read(written, monkeypatch, change)
    with pytest.raises(InputError, match=message) as caught:
        posterior_lib.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_without_its_rows_a_posterior_is_tried_at_its_reference_point(path, written, monkeypatch):
    def change(tree):
        del tree["constant_data"], tree["observed_data"]
        tree["posterior"]["kappa"][1, 2] = 1e308
        tree["posterior"].attrs["R0"] = 1e30

    change_what_is_read(written, monkeypatch, change)
    with pytest.raises(InputError, match="draw 42 of law 'effective' predicts no loss at its reference point"):
        posterior_lib.load(path)


def test_smooth_misses_come_back(tmp_path):
    posed = small_smooth.problem()
    made = small_smooth.posterior(posed)
    made.save(tmp_path / "smooth.nc")
    again = posterior_lib.load(tmp_path / "smooth.nc")
    assert again.misses == made.misses == Misses.SMOOTH
    assert again.sines == made.sines
    for name in ("effects_CSM", "slopes_CSM", "sines_CSK"):
        np.testing.assert_array_equal(getattr(again, name), getattr(made, name))
    first, second = (each.losses(posed.features, level="shape", seed=3).all() for each in (made, again))
    np.testing.assert_array_equal(first, second)


def test_sines_that_are_not_those_of_the_rows_are_refused(tmp_path, monkeypatch):
    small_smooth.posterior(small_smooth.problem()).save(tmp_path / "smooth.nc")
    whole = draws_file.read(tmp_path / "smooth.nc")

    def fewer(tree):
        tree["posterior"] = tree["posterior"].isel(sine=slice(5))

    change_what_is_read(whole, monkeypatch, fewer)
    with pytest.raises(InputError, match="has 5 sines, its fitted rows make"):
        posterior_lib.load(tmp_path / "smooth.nc")


def test_unknown_misses_are_refused(written, monkeypatch, path):
    change_what_is_read(written, monkeypatch, set_attribute("misses", "both"))
    with pytest.raises(InputError, match="attribute misses='both' must be one of independent, smooth"):
        posterior_lib.load(path)
