"""Features of cases add up to what workloads cost, bandwidths are interpolated, unknown devices are named."""

import numpy as np
import pytest

from ie_scaling import accounting, workload
from ie_scaling.latency_law import features as law_features
from tests.latency_law import simulated

DEVICE = simulated.device(0)
CASES = simulated.cases(12, seed=4)


def test_features_add_up_to_what_a_workload_costs():
    features = law_features.features_of(CASES, [DEVICE] * len(CASES))
    pairs = [(case.architecture, case.workload) for case in CASES]
    np.testing.assert_allclose(features.step_bytes, [workload.step_bytes(*pair) for pair in pairs])
    np.testing.assert_allclose(features.step_flops, [workload.step_flops(*pair) for pair in pairs])
    np.testing.assert_allclose(features.prefill_flops, [workload.prefill_flops(*pair) for pair in pairs])
    cached = [load.batch * load.mean_context * accounting.kv_cache_bytes_per_token(a, 4) for a, load in pairs]
    np.testing.assert_allclose(features.cache_bytes, cached)
    attention = [load.batch * 4 * a.n_layers * round(load.mean_context) * a.n_heads * a.d_head for a, load in pairs]
    np.testing.assert_allclose(features.attention_flops, attention)


def test_bandwidth_is_interpolated_between_logs():
    device = law_features.FittedDevice("x", "float32", "loop", (2.0**22, 2.0**24), (16e9, 4e9), 1e11, (0.0, 0.0))
    sizes = [2.0**20, 2.0**22, 2.0**23, 2.0**24, 2.0**30]
    np.testing.assert_allclose([device.bandwidth(size) for size in sizes], [16e9, 16e9, 8e9, 4e9, 4e9])
    assert device.typical_bandwidth == pytest.approx(8e9)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("tpu", "float32", "loop"), ["device_kind='tpu'", "fitted are sim0"]),
        (("sim0", "bfloat16", "loop"), ["dtype='bfloat16'", "fitted are float32 loop"]),
        (("sim0", "float32", "step"), ["mode='step'", "fitted are float32 loop"]),
    ],
)
def test_an_unknown_device_is_named(asked, words):
    with pytest.raises(ValueError, match="was not fitted") as caught:
        law_features.index_of((DEVICE,), *asked)
    assert all(word in str(caught.value) for word in words)
