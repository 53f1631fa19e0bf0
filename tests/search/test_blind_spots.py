"""Warnings of what a law says nothing about, in words, and none where nothing differs."""

import dataclasses

import numpy as np
import pytest

from ie_scaling.architecture import Architecture
from ie_scaling.laws import forms
from ie_scaling.laws.bayes import fitted_shapes, posterior
from ie_scaling.laws.bayes.discrepancy import Sines
from ie_scaling.laws.bayes.fitted_shapes import FittedShapes
from ie_scaling.laws.observations import Reference, features_of
from ie_scaling.search import blind_spots
from tests.laws import small_posterior

SHAPE = Architecture(d_model=1024, n_layers=16, n_heads=16, n_kv_heads=16, d_head=64, d_ff=2752, vocab_size=32000)
FITTED = [SHAPE, dataclasses.replace(SHAPE, n_layers=8), dataclasses.replace(SHAPE, n_layers=24)]
DEEPER = dataclasses.replace(SHAPE, n_layers=20)


def fit(law="effective", shapes=FITTED):
    """A posterior of one draw whose fitted models are these shapes, under other names."""
    form = forms.get_law(law)
    names = tuple(f"run{i}" for i in range(len(shapes)))
    one = {name: np.ones((1, 1)) for name in (*form.names, "tau", "sigma", "nu", "sigma_fall_N", "sigma_fall_D")}
    kept = FittedShapes(names, fitted_shapes._fields_of(shapes))
    return posterior.Posterior(
        law=form,
        reference=Reference(N0=3e6, D0=1e8, R0=30, d0=96, n0=4, r0=1.5, x0=0.2, g0=2, L0=3.0, L_min=2.5),
        draws=one,
        effects_CSM=np.zeros((1, 1, len(shapes))),
        model_ids=names,
        fitted_rows=dataclasses.replace(small_posterior.rows(names, n_total=[np.nan]), shapes=kept),
    )


def warned(shapes, *fits):
    return blind_spots.find(fits, shapes, features_of(shapes, 1e9))


def test_nothing_is_said_where_nothing_differs():
    assert warned([DEEPER, dataclasses.replace(SHAPE, n_layers=12)], fit()) == []
    assert warned(FITTED, fit()) == []


def test_fitted_shapes_have_an_effect_of_their_own_and_are_not_warned_of():
    grouped = dataclasses.replace(SHAPE, n_kv_heads=4)
    assert warned([SHAPE, grouped], fit(shapes=[*FITTED, grouped])) == []


def test_query_groups_that_no_run_had_are_said_in_words():
    strange = dataclasses.replace(SHAPE, n_heads=2, n_kv_heads=1, n_layers=20)
    lines = warned([DEEPER, strange], fit())
    assert lines[0] == (
        "law effective has no term for query groups; every fitted run had g = 1, candidates have g = 1 to 2; "
        "differences in it are taken as zero"
    )
    assert lines[1].startswith("law effective has no term for the ratio of MLP to attention parameters; every fitted")
    assert len(lines) == 2


def test_a_term_that_is_extrapolated_is_said():
    grouped = dataclasses.replace(DEEPER, n_kv_heads=2)
    assert warned([grouped], fit("effective_gqa"))[0] == (
        "law effective_gqa: every fitted run had g = 1, candidates have g = 8; "
        "the term for query groups is extrapolated"
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"d_head": 128, "n_heads": 8, "n_kv_heads": 8},
            "no term for the head width; every fitted run had d_head = 64",
        ),
        ({"vocab_size": 50432}, "no term for the vocabulary; every fitted run had vocab_size = 32000"),
        ({"tied_embeddings": True}, "no term for tied embeddings; every fitted run had embedding matrices = 2"),
        ({"d_ff": 11008}, "no term for the ratio of MLP to attention parameters; every fitted run had r = 2.016"),
    ],
)
def test_each_feature_that_the_law_lacks_is_one_line(changes, words):
    lines = warned([DEEPER, dataclasses.replace(DEEPER, **changes)], fit())
    assert [line for line in lines if words in line]
    assert len(lines) == 1


def test_all_candidates_alike_but_unlike_the_fitted_runs_are_warned_of():
    lines = warned([dataclasses.replace(shape, n_kv_heads=2) for shape in FITTED], fit())
    assert lines[0].startswith(
        "law effective has no term for query groups; every fitted run had g = 1, candidates have g"
    )


def test_a_law_without_any_shape_is_told_and_laws_share_a_line():
    wider = dataclasses.replace(SHAPE, d_model=2048, n_layers=4)
    lines = [line for line in warned([DEEPER, wider], fit("chinchilla"), fit()) if "aspect ratio" in line]
    assert lines[0].startswith("law chinchilla has no term for the aspect ratio; fitted runs had d/n = 42.67 to 128")
    lines = warned([DEEPER, dataclasses.replace(DEEPER, n_kv_heads=8)], fit("chinchilla"), fit())
    assert [line for line in lines if line.startswith("laws chinchilla, effective have no term for query groups")]


def test_smooth_misses_read_the_aspect_ratio_that_a_law_does_not():
    plain, wide = fit("chinchilla"), dataclasses.replace(SHAPE, n_layers=2)
    smooth = dataclasses.replace(
        plain,
        slopes_CSM=np.zeros_like(plain.effects_CSM),
        sines=Sines(numbers=((1, 1),)),
        sines_CSK=np.zeros((1, 1, 1)),
    )
    told = ["no term for the aspect ratio" in " ".join(warned([DEEPER, wide], one)) for one in (plain, smooth)]
    assert told == [True, False]
