"""The rows that a posterior keeps are those of the table, with the first known shape of each model."""

import numpy as np

from ie_scaling.laws import forms
from ie_scaling.laws.bayes.fitted_rows import FittedRows
from ie_scaling.laws.observations import Observations
from tests.laws.simulated import simulate


def test_rows_are_those_of_the_table():
    observations = Observations.from_frame(simulate(forms.get_law("chinchilla"), tokens=(1e9, 3e9)))
    rows = FittedRows.of(observations)
    assert len(rows) == len(observations)
    assert rows.run_ids == observations.run_ids
    assert rows.model_R.dtype == np.int32
    np.testing.assert_array_equal(rows.log_loss_R, np.log(observations.loss_R))
    np.testing.assert_array_equal(rows.shapes.column("n_layers")[rows.model_R], rows.features.n_layers)
    assert rows.shapes.model_ids == observations.model_ids
