"""Runtime of a run, which does not change what it computes: devices, memory, checkpoints, logs (no JAX here).

Nothing here changes what is trained beyond the order of floating-point sums, so all of it may change when a run is
taken up again.
"""

import dataclasses
import enum

from ie_scaling.running.config import at_least, one_of, require
from ie_scaling.train.rules import require_whole

MAX_DEVICES = 1_000_000
REMAT = ("none", "dots", "full")


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeshConfig:
    """Devices along each mesh axis: batches split over data and fsdp, weights over fsdp and tensor."""

    data: int = 1
    fsdp: int = 1
    tensor: int = 1

    def __post_init__(self) -> None:
        require_whole(self, ("data", "fsdp", "tensor"), 1, MAX_DEVICES)

    @property
    def n_devices(self) -> int:
        """Devices of the whole mesh."""
        return self.data * self.fsdp * self.tensor

    @property
    def batch_shards(self) -> int:
        """Parts that a batch is split into."""
        return self.data * self.fsdp


class Mode(enum.StrEnum):
    """Where it is known from which processes train together."""

    OFF = enum.auto()
    AUTO = enum.auto()
    MANUAL = enum.auto()


@dataclasses.dataclass(frozen=True, kw_only=True)
class DistributedConfig:
    """Processes that train one model together (jax.distributed).

    `mode` is "off", "auto" (TPU pods, SLURM and Open MPI say who takes part) or "manual", which needs the coordinator's
    host:port, the number of processes and this one's number.
    """

    mode: str = Mode.OFF.value
    coordinator: str = ""
    n_processes: int = 1
    process_id: int = 0

    def __post_init__(self) -> None:
        one_of(self, "mode", Mode)
        if self.mode == Mode.MANUAL:
            host, _, port = self.coordinator.rpartition(":")
            valid = bool(host) and port.isascii() and port.isdecimal() and len(port) <= 5 and 0 < int(port) < 65536
            require(valid, "coordinator", self.coordinator, "must be host:port where mode is manual")
            require_whole(self, ("n_processes",), 1, MAX_DEVICES)
            inside = 0 <= self.process_id < self.n_processes
            require(inside, "process_id", self.process_id, f"must lie between 0 and {self.n_processes - 1}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class CheckpointConfig:
    """When the state is saved, and how many saves remain; 0 turns a rule off."""

    every_s: float = 60.0
    every_steps: int = 0
    keep: int = 2

    def __post_init__(self) -> None:
        at_least(self, 0, "every_s")
        require_whole(self, ("every_steps",), 0)
        require_whole(self, ("keep",), 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LogConfig:
    """Metrics of a run: metrics.jsonl always, TensorBoard, W&B and the profiler where set.

    `profile_steps` above 0 traces that many steps from step `profile_from` on into profile/ (jax.profiler).
    """

    every_steps: int = 10
    tensorboard: bool = False
    wandb_project: str = ""
    profile_from: int = 10
    profile_steps: int = 0

    def __post_init__(self) -> None:
        require_whole(self, ("every_steps",), 1)
        require_whole(self, ("profile_from", "profile_steps"), 0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PriceConfig:
    """The device that --dry_run and MFU reckon with: by name (pricing.DEVICES) or "" for the one at hand.

    `mfu` is the share of the device's peak that training is expected to reach.
    """

    device: str = ""
    mfu: float = 0.4

    def __post_init__(self) -> None:
        require(0 < self.mfu <= 1, "mfu", self.mfu, "must lie above 0 and not above 1")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RuntimeConfig:
    """Devices, memory, checkpoints and logs of a run.

    `remat` chooses what the forward pass keeps for the backward: "none" recomputes nothing, "dots" keeps the outputs of
    matrix products, "full" keeps only each layer's input. `scan_layers` compiles one layer for all; without, compiling
    takes longer, and steps on a CPU about a tenth less. `accumulation` splits a batch into that many parts, one after
    another. A loss more than `spike_nats` above its running mean stops the run (0: never).
    """

    mesh: MeshConfig = MeshConfig()
    distributed: DistributedConfig = DistributedConfig()
    remat: str = "none"
    scan_layers: bool = True
    accumulation: int = 1
    checkpoint: CheckpointConfig = CheckpointConfig()
    log: LogConfig = LogConfig()
    price: PriceConfig = PriceConfig()
    spike_nats: float = 3.0

    def __post_init__(self) -> None:
        one_of(self, "remat", REMAT)
        require_whole(self, ("accumulation",), 1)
        at_least(self, 0, "spike_nats")
