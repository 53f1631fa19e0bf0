"""Members of a family of proportions: at any size, what accounting says of an architecture of those proportions."""

import numpy as np
import pytest

from ie_scaling import accounting
from ie_scaling.laws import forms
from ie_scaling.laws.observations import Observations, features_of
from ie_scaling.laws.proportions import Proportions
from tests.laws.simulated import read, shapes, simulate


def test_a_family_contains_its_template():
    for architecture in shapes():
        ours = features_of([architecture], 1e9)
        total = float(accounting.count_parameters(architecture))
        member = Proportions.like(architecture).members(total, architecture.aspect_ratio, 1e9)
        for name in ("n_total", "n_non_embedding", "n_embedding", "d_model", "n_layers", "aspect_ratio"):
            np.testing.assert_allclose(getattr(member, name), getattr(ours, name), rtol=1e-10, err_msg=name)


def test_members_have_the_size_the_ratio_and_the_tokens_that_they_should():
    family = Proportions.like(shapes()[0])
    members = family.members(np.geomspace(1e5, 1e10, 6), 40.0, 2e9)
    assert len(members) == 6
    np.testing.assert_allclose(members.d_model / members.n_layers, 40.0)
    np.testing.assert_allclose(members.n_non_embedding + members.n_embedding, members.n_total)
    np.testing.assert_allclose(members.n_non_embedding, family.layer_parameters * members.n_layers * members.d_model**2)
    assert (members.n_tokens == 2e9).all()
    assert np.isnan(members.loss_optimal).all()


def test_a_table_gives_its_medians_and_nothing_that_it_does_not_know():
    rows = Observations.from_frame(simulate(forms.get_law("chinchilla")))
    family = Proportions.of(rows)
    assert family.mlp_attention_ratio == pytest.approx(np.median(rows.features.mlp_attention_ratio))
    assert family.query_group == np.median(rows.features.query_group)
    assert np.isnan(Proportions.of(read("chinchilla")).mlp_attention_ratio)  # heads unknown
