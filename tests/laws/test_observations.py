"""Features and reference point against closed forms; errors that name the cell."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from ie_scaling import accounting
from ie_scaling.laws import forms
from ie_scaling.laws.observations import Observations, features_of
from tests.laws.simulated import read, shapes, simulate

FRAME = simulate(forms.get_law("chinchilla"))


def test_features_of_a_table_equal_those_of_its_architectures():
    rows = Observations.from_frame(FRAME[FRAME["n_tokens"] == 7e8].reset_index(drop=True))
    ours = features_of(shapes(), 7e8)
    for field in dataclasses.fields(ours):
        if field.name == "loss_optimal":  # only what was trained has one
            continue
        np.testing.assert_allclose(getattr(rows.features, field.name), getattr(ours, field.name), rtol=1e-14)
    total, embedding = accounting.count_parameters(shapes()[0]), accounting.count_embedding_parameters(shapes()[0])
    assert ours.n_total[0] == total
    assert ours.n_non_embedding[0] == total - embedding


def test_reference_is_the_geometric_mean():
    rows = read("bian2025")
    reference = rows.reference(1.0)
    assert pytest.approx(np.exp(np.log(rows.features.n_total).mean()), rel=1e-12) == reference.N0
    assert reference.L_min == pytest.approx(2.896)
    assert pytest.approx(np.exp(np.log(rows.features.n_non_embedding).mean()), rel=1e-12) == rows.reference(0.0).N0


def test_models_are_grouped():
    rows = read("bian2025")
    assert (len(rows), len(rows.model_ids)) == (76, 35)
    assert rows.model_ids[rows.model_R[0]] == rows.frame["model_id"].iloc[0]


def test_a_blank_feature_names_file_row_and_column():
    frame = FRAME.copy()
    frame.loc[4, "n_layers"] = np.nan
    rows = Observations.from_frame(frame, "runs.csv")
    rows.require(forms.get_law("chinchilla").needs, "chinchilla")
    with pytest.raises(ValueError, match=r"runs\.csv: row 5, column d_model and n_layers: must not be blank"):
        rows.require(forms.get_law("aspect_ratio").needs, "aspect_ratio")


def test_a_row_that_repeats_another_is_kept_once():
    frame = pd.concat([FRAME, FRAME.iloc[[2, 5]]], ignore_index=True)
    rows = Observations.from_frame(frame)
    assert (len(rows), rows.n_duplicates) == (len(FRAME), 2)


def test_smallest_losses_are_found_at_each_size_and_budget():
    rows = read("bian2025")
    at_80m = rows.frame["model_id"].isin(["80M_v1", "80M_v4", "80M_v5"]) & (rows.frame["n_tokens"] < 1.7e9)
    ours = rows.features.loss_optimal[at_80m]
    assert len(set(ours)) == 1
    losses_R = rows.frame["loss"].to_numpy()
    assert ours[0] <= losses_R[at_80m].min()
    assert (rows.features.loss_optimal <= losses_R).all()
    given = Observations.from_frame(rows.frame.assign(loss_optimal=2.5))
    np.testing.assert_array_equal(given.features.loss_optimal, 2.5)


def test_a_run_listed_with_two_losses_is_refused():
    frame = FRAME.copy()
    frame.loc[1, ["run_id", "n_tokens"]] = frame.loc[0, ["run_id", "n_tokens"]]
    with pytest.raises(ValueError, match=r"row 2, run_id .* listed twice"):
        Observations.from_frame(frame)


def test_more_non_embedding_than_total_is_refused():
    with pytest.raises(ValueError, match="row 3, column n_params_non_embedding"):
        Observations.from_frame(FRAME.assign(n_params_total=FRAME["n_params_total"].where(FRAME.index != 2, 1.0)))


def test_runs_of_one_size_and_tokens_per_parameter_are_of_one_scale():
    tokens = lambda architecture: 20 * accounting.count_parameters(architecture)  # noqa: E731
    frame = simulate(forms.get_law("chinchilla"), tokens=tokens)
    frame["n_params_total"] = 1e8 * np.array([1, 1.03, 1.08, 2, 2.05, 2.1, 4, 4.1, 8, 16])
    frame["n_params_non_embedding"] = 0.5 * frame["n_params_total"]
    rows = Observations.from_frame(frame.assign(n_tokens=20 * frame["n_params_total"]))
    assert [len(set(rows.scale_R[start:stop])) for start, stop in ((0, 3), (3, 6), (6, 8))] == [1, 1, 1]
    assert len(set(rows.scale_R)) == 5
    level = Observations.from_frame(frame.assign(n_tokens=1e9))  # at one budget D/N differs, and says nothing
    assert len(set(level.scale_R)) == 5
