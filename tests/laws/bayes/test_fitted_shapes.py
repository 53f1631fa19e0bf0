"""Which fitted models a candidate is: by the fields of its shape, by its name, and never by half of them."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from experiments import rank
from ie_scaling.architecture import Architecture
from ie_scaling.inference import draws_file
from ie_scaling.laws import bayes, forms
from ie_scaling.laws.bayes import posterior
from ie_scaling.laws.bayes.fitted_shapes import FIELDS, FittedShapes
from ie_scaling.laws.least_squares import solver
from ie_scaling.laws.observations import Observations, features_of
from ie_scaling.laws.problem import pose
from ie_scaling.search import ranking
from ie_scaling.tables import run_table

DATA = Path(__file__).parents[3] / "data"
SIX = [Architecture.parse(name) for name in rank.Config().candidates]
SHAPE = SIX[0]


def fitted(model_id="1B", **changes):
    """One fitted model of SHAPE, with these fields changed."""
    known = SHAPE.to_fields() | {"n_params_total": 1_439_795_200, "n_params_non_embedding": 1_233_225_728} | changes
    return FittedShapes((model_id,), np.array([[np.nan if known[name] is None else known[name] for name in FIELDS]]))


@pytest.fixture(scope="module")
def bootstrap():
    """A bootstrap of law `effective` on the 76 public rows."""
    rows = Observations.from_frame(run_table.read_runs(DATA / "bian2025.csv"))
    start = solver.fit(pose(forms.get_law("effective"), rows), n_starts=8)
    return bayes.bootstrap(start, 16, 0)


def test_candidates_of_a_public_table_are_known_by_their_fields(bootstrap, tmp_path):
    expected = [("1B_v1",), ("1B_v3",), ("1B_v6",), ("1B_v8",), SIX[4].name, SIX[5].name]
    assert bootstrap.identify(SIX) == expected
    bootstrap.save(tmp_path / "bootstrap.nc")
    assert posterior.load(tmp_path / "bootstrap.nc").identify(SIX) == expected
    data, groups = draws_file.read(tmp_path / "bootstrap.nc")
    del groups["fitted_shapes"]  # as files were written before
    draws_file.write(tmp_path / "bootstrap.nc", {"posterior": data, **groups}, data.attrs)
    assert posterior.load(tmp_path / "bootstrap.nc").identify(SIX) == expected


def test_a_trained_shape_keeps_its_own_effect_in_every_prediction(bootstrap):
    own_W = bootstrap.effects_CSM[0, :, bootstrap.model_ids.index("1B_v1")]
    features = features_of(SIX, 3e10)
    law_WA = np.log(bootstrap.losses(features, level="law").all())
    np.testing.assert_allclose(
        np.log(bootstrap.losses(SIX, 3e10, level="shape").all())[:, 0] - law_WA[:, 0], own_W, atol=1e-12
    )
    pieces = bootstrap.losses(features, level="shape", model_ids=bootstrap.identify(SIX))
    every = np.arange(bootstrap.n_draws)
    np.testing.assert_allclose(np.log(pieces(every))[:, 0] - law_WA[:, 0], own_W, atol=1e-7)
    np.testing.assert_allclose(np.log(pieces.means(every))[:, 0] - law_WA[:, 0], own_W, atol=1e-12)


def test_several_models_of_one_shape_give_their_mean(bootstrap):
    both = dataclasses.replace(bootstrap)
    numbers = [bootstrap.model_ids.index(name) for name in ("1B_v1", "1B_v3")]
    features = features_of(SIX[:1], 3e10)
    shape_WA = both.losses(features, level="shape", model_ids=[("1B_v1", "1B_v3")]).all()
    effect_W = np.log(shape_WA / both.losses(features, level="law").all())[:, 0]
    np.testing.assert_allclose(effect_W, bootstrap.effects_CSM[0][:, numbers].mean(axis=1), atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "matches"),
    [
        ({}, True),
        ({"d_head": None, "n_heads": None, "n_kv_heads": None, "d_ff": None, "vocab_size": None}, True),
        ({"n_params_total": None}, True),
        ({"n_params_total": 1.44e9, "n_params_non_embedding": 1.23e9}, True),
        ({"n_params_total": None, "n_params_non_embedding": None}, False),
        ({"n_layers": None}, False),
        ({"d_model": None}, False),
        ({"n_kv_heads": 8}, False),
        ({"d_ff": 5504}, False),
        ({"vocab_size": 32000}, False),
        ({"n_params_total": 1.46e9}, False),
    ],
)
def test_known_fields_must_be_equal_and_enough_of_them_known(changes, matches):
    assert fitted(**changes).match([SHAPE]) == [(0,) if matches else ()]


def test_tied_embeddings_are_told_from_untied_ones_by_their_parameters():
    tied = dataclasses.replace(SHAPE, tied_embeddings=True)
    assert fitted().match([tied, SHAPE]) == [(), (0,)]


def test_a_model_named_as_an_architecture_is_that_one_and_no_other():
    normed = dataclasses.replace(SHAPE, qk_norm=True)
    assert fitted(SHAPE.name).match([SHAPE, normed]) == [(0,), ()]
    assert fitted(normed.name).match([SHAPE, normed]) == [(), (0,)]


@pytest.mark.slow
def test_the_probability_of_the_best_of_six_shapes(tmp_path):
    """Law `effective` on 76 rows: 0.97 at level shape and 0.83 for a new run; with strangers' effects 0.91 and 0.77."""
    from experiments import fit
    from ie_scaling.running import runner

    runner.run(fit, fit.Config(runs=str(DATA / "bian2025.csv"), method="bayes"), tmp_path / "fit")
    made = posterior.load_fit(tmp_path / "fit")
    for level, expected in (("shape", 0.97), ("new_run", 0.83)):
        losses_of = made.losses(SIX, 3e10, level=level)
        assert ranking.p_best(losses_of(np.arange(made.n_draws)))[0] == pytest.approx(expected, abs=0.02)
