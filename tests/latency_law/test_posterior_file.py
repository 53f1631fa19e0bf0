"""What the reader of a latency posterior refuses, one line each; what it reads is what was written."""

import dataclasses
import json

import numpy as np
import pytest

from ie_scaling.errors import InputError
from ie_scaling.inference import draws_file
from ie_scaling.latency_law import posterior as latency_law
from ie_scaling.latency_law import predict
from ie_scaling.latency_law.posterior import TYPICAL_LOAD, TYPICAL_SHAPE
from ie_scaling.workload import Case, Workload
from tests.latency_law import small_posterior

CASES = [Case(TYPICAL_SHAPE, Workload(**TYPICAL_LOAD))]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / latency_law.FILE_NAME
    small_posterior.make().save(path)
    return path


@pytest.fixture(scope="module")
def written(path):
    return draws_file.read(path)


def test_what_was_written_is_read(path):
    first, second = small_posterior.make(), latency_law.load_fit(path.parent)
    assert (second.form, second.devices, second.sessions, second.failures) == (
        *(first.form, first.devices, first.sessions),
        first.failures,
    )
    ours, theirs = (each.predict(CASES, seed=3).e2e_s_WA for each in (first, second))
    np.testing.assert_array_equal(ours, theirs)
    assert predict.far_outside(second, CASES, "sim") == predict.far_outside(first, CASES, "sim")


def set_attribute(name, value):
    return lambda tree: tree["posterior"].attrs.update({name: value})


def set_device(**fields):
    device = dataclasses.asdict(small_posterior.make().devices[0]) | fields
    return set_attribute("devices", json.dumps([device]))


def drop(name, group="posterior"):
    return lambda tree: tree.update({group: tree[group].drop_vars(name)})


def set_one(name, value, group="posterior"):
    def change(tree):
        values = tree[group][name].copy()
        values[(0,) * values.ndim] = value
        tree[group] = tree[group].assign({name: values})

    return change


def without_attribute(name):
    return lambda tree: tree["posterior"].attrs.pop(name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_attribute("kind"), "is not the posterior of a latency law"),
        (without_attribute("form"), "attribute 'form' is missing"),
        (without_attribute("devices"), "attribute 'devices' is missing"),
        (set_attribute("form", "cubic"), "attribute form='cubic' must be one of serial, joint"),
        (set_attribute("form", 3), "attribute form=.* must be text"),
        (set_attribute("sessions", "7"), "must be a JSON list of strings"),
        (set_attribute("devices", "[1]"), "must be a JSON list of objects"),
        (set_attribute("devices", "[]"), "has draws of 1 devices, attribute devices names 0"),
        (set_attribute("devices", "[{}]"), "missing and has no default"),
        (set_attribute("failures", "{}"), "must be a JSON list of strings"),
        (set_device(dtype="int3"), "dtype must be one of"),
        (set_device(device_kind="one\ntwo"), "must be a name on one line"),
        (set_device(mode="jump"), "mode must be one of"),
        (set_device(flops_per_s=-1.0), "every ceiling and factor must be finite and above zero"),
        (set_device(bytes_per_s=[1e10, float("nan")]), "finite"),
        (set_device(sizes=[1.0]), "sizes and bytes_per_s must be as many"),
        (set_device(sizes=[2.0, 1.0]), "sizes must ascend"),
        (set_device(errors=[0.1]), "errors must be two"),
        (set_device(sessions=["a"]), "sessions and their two factors must be as many"),
        (set_device(speed=3), "unknown field"),
        (set_attribute("sessions", '["a"]'), "must name each session once, in the order of 'u'"),
        (set_attribute("sessions", '["a", "a"]'), "must name each session once, in the order of 'u'"),
        (drop("noise_correlation"), "posterior has no 'noise_correlation', which the latency law needs"),
        (drop("sharpness"), "posterior has no 'sharpness', which the latency law needs"),
        (drop("session_spread"), "has no session_spread"),
        (drop("misfit_weights"), "has no 'misfit_weights'"),
        (drop("misfit_sizes", "constant_data"), "has no 'misfit_sizes'"),
        (drop("step_bytes", "constant_data"), "has no 'step_bytes'"),
        (drop("device", "constant_data"), "has no 'device' of its rows"),
        (lambda tree: tree.pop("constant_data"), "has no 'misfit_sizes'"),
        (set_one("sharpness", np.nan), "'sharpness' is nan"),
        (set_one("sharpness", 0.5), r"'sharpness' has a draw of 0.5, outside \[1, inf\]"),
        (set_one("fixed_share", 1.5), r"'fixed_share' has a draw of 1.5, outside \[0, 1\]"),
        (set_one("overhead_s", -1.0), r"'overhead_s' has a draw of -1, outside \[0, inf\]"),
        (set_one("noise_correlation", 2.0), r"'noise_correlation' has a draw of 2, outside \[-1, 1\]"),
        (set_one("misfit_device", 4, "constant_data"), "'misfit_device' must number the 1 devices"),
        (set_one("overhead_s", 1e308), "draw 0 predicts no time of a typical shape on sim float32 loop"),
    ],
)
def test_what_no_fit_writes_is_refused_in_one_line(path, written, monkeypatch, change, message):
    data, groups = written
    tree = {"posterior": data.copy(), **groups}
    change(tree)
    monkeypatch.setattr(draws_file, "read", lambda path: (tree.pop("posterior"), tree))
    with pytest.raises(InputError, match=message) as caught:
        latency_law.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
