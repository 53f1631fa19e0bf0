"""Predicted loss curves: a family's member of the template's own size costs what the template costs."""

import types

import numpy as np
import pytest

from experiments.quickstart import curves
from ie_scaling import accounting
from ie_scaling.architecture import Architecture

TEMPLATE = Architecture(d_model=112, n_layers=3, n_heads=6, n_kv_heads=2, d_head=10, d_ff=304, vocab_size=1031)


class OfSize:
    """Three draws of a loss that falls with size."""

    reference = types.SimpleNamespace(R0=TEMPLATE.aspect_ratio)

    def losses(self, features, *, level):
        assert level == "shape"
        loss_WA = np.array([[2.9], [3.0], [3.1]]) + 1e4 / features.n_total
        return types.SimpleNamespace(all=lambda: loss_WA)


def test_the_members_flops_are_the_templates_at_its_size():
    n_params = np.array([0.5, 1, 2]) * accounting.count_parameters(TEMPLATE)
    of_size, of_flops = curves.bands(OfSize(), TEMPLATE, n_params, 1e6, 128)
    np.testing.assert_allclose(of_size.x, n_params)
    assert of_flops.x[1] == pytest.approx(accounting.training_flops(TEMPLATE, 10**6, 128), rel=1e-9)
    assert (np.diff(of_flops.x) > 0).all()
    for band in (of_size, of_flops):
        assert band.label == "1,000,000 tokens"
        np.testing.assert_allclose(band.mean, 3 + 1e4 / n_params)
