"""What a request means to a fitted law: blanks filled in, columns of the answer, and warnings of extrapolation."""

import dataclasses

import numpy as np
import pytest

from ie_scaling.errors import InputError
from ie_scaling.latency_law import predict
from ie_scaling.latency_law.config import RequestConfig
from ie_scaling.latency_law.posterior import TYPICAL_SHAPE
from ie_scaling.running.diagnostic import Kind
from tests.latency_law import small_posterior

LAW = small_posterior.make()
DEVICE = LAW.devices[0]


def with_devices(*devices):
    """The law as if these had been fitted."""
    return dataclasses.replace(LAW, devices=devices)


def test_blanks_are_filled_where_the_fit_leaves_no_choice():
    kind, (case,) = predict.resolve(RequestConfig(batch=3, new_tokens=9), [TYPICAL_SHAPE], LAW)
    assert (kind, case.workload.dtype, case.workload.mode) == ("sim", "float32", "loop")
    assert (case.workload.batch, case.workload.prompt_tokens, case.workload.new_tokens) == (3, 64, 9)


@pytest.mark.parametrize(
    ("other", "fields", "words"),
    [
        ({"device_kind": "gpu"}, {}, "device_kind='': several were fitted, name one of sim, gpu"),
        ({"dtype": "bfloat16"}, {}, "dtype='': several were fitted for sim, name one of bfloat16, float32"),
        ({"mode": "step"}, {}, "mode='': several were fitted for sim, name one of loop, step"),
        ({"mode": "step"}, {"device_kind": "tpu"}, "device_kind='tpu': was not fitted; fitted are sim"),
    ],
)
def test_a_blank_with_several_to_choose_from_is_refused(other, fields, words):
    law = with_devices(DEVICE, dataclasses.replace(DEVICE, **other))
    with pytest.raises(InputError, match=words):
        predict.resolve(RequestConfig(**fields), [TYPICAL_SHAPE], law)


def test_a_row_a_case_with_its_request_and_intervals():
    kind, cases = predict.resolve(RequestConfig(), [TYPICAL_SHAPE], LAW)
    (row,) = predict.tabulate(LAW, kind, cases, 3).to_dict("records")
    assert (row["architecture"], row["device_kind"], row["prompt_tokens"]) == (TYPICAL_SHAPE.name, "sim", 64)
    assert row["tpot_s"] == np.median(LAW.predict(cases, kind, 3).tpot_s_WA)
    assert row["tpot_s_lo90"] < row["tpot_s"] < row["tpot_s_hi90"]


def test_only_rows_of_the_own_device_count_for_extrapolation():
    kind, cases = predict.resolve(RequestConfig(), [TYPICAL_SHAPE], LAW)
    near = dataclasses.replace(LAW, fitted_cases=small_posterior.fitted_cases(DEVICE.name, [8.0, 8e9]))
    assert not [line for line in predict.far_outside(near, cases, kind) if line.startswith("n_layers")]
    mixed = dataclasses.replace(near.fitted_cases, device_names=(DEVICE.name, "another"))
    far = predict.far_outside(dataclasses.replace(LAW, fitted_cases=mixed), cases, kind)
    assert [line.split(" ")[0] for line in far] == ["batch", "step_bytes", "step_flops", "prefill_flops"]


def test_a_failed_gate_is_said_with_every_answer():
    kind, cases = predict.resolve(RequestConfig(), [TYPICAL_SHAPE], LAW)
    kinds = [diagnostic.kind for diagnostic in predict.diagnose(LAW, cases, kind)]
    assert kinds[0] is Kind.LATENCY
    assert set(kinds[1:]) <= {Kind.EXTRAPOLATION}
