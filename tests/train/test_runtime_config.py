"""Devices, processes, checkpoints and logs of a run: what is derived, and what is refused."""

import pytest

from ie_scaling.errors import InputError
from ie_scaling.train.runtime_config import DistributedConfig, LogConfig, MeshConfig, PriceConfig, RuntimeConfig


def test_a_mesh_has_the_product_of_its_axes_and_a_batch_that_of_two():
    mesh = MeshConfig(data=2, fsdp=3, tensor=5)
    assert (mesh.n_devices, mesh.batch_shards) == (30, 6)


@pytest.mark.parametrize("coordinator", ["", "host", ":1", "host:", "host:0", "host:65536", "host:1x", "host:٣"])
def test_processes_joined_by_hand_need_a_coordinator(coordinator):
    with pytest.raises(InputError, match="coordinator="):
        DistributedConfig(mode="manual", coordinator=coordinator)
    assert DistributedConfig(coordinator=coordinator).mode == "off"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: DistributedConfig(mode="on"), "mode='on': must be one of off, auto, manual"),
        (lambda: DistributedConfig(mode="manual", coordinator="h:1", n_processes=2, process_id=2), "between 0 and 1"),
        (lambda: RuntimeConfig(remat="some"), "remat='some': must be one of none, dots, full"),
        (lambda: PriceConfig(mfu=1.1), "mfu=1.1"),
        (lambda: LogConfig(every_steps=0), "every_steps=0: must be at least 1"),
    ],
)
def test_what_cannot_be_is_named(make, words):
    with pytest.raises(InputError, match=words):
        make()
