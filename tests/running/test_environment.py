"""What a figure records of where it was measured."""

import platform

import jax

from ie_scaling.running import environment


def test_a_processor_is_told_by_family_and_model(tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_text("processor\t: 0\ncpu family\t: 26\nmodel\t\t: 2\nmodel name\t: AMD EPYC\n\nprocessor\t: 1\n")
    assert environment.processor(path) == "AMD EPYC family 26 model 2"
    path.write_text("Hardware\t: something\n")
    assert environment.processor(path) == platform.machine()
    assert environment.processor(tmp_path / "absent")


def test_a_cpu_is_a_kind_by_its_processor(monkeypatch):
    assert environment.device_kind() == f"cpu {environment.processor()}"
    other = type("Device", (), {"device_kind": "NVIDIA H200"})
    monkeypatch.setattr(jax, "devices", lambda: [other])
    assert environment.device_kind() == "NVIDIA H200"
