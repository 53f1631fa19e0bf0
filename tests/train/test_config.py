"""What a run may be set to: absurd values are refused by name, in one short line."""

import math

import pytest

from ie_scaling import accounting
from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.running import config as config_lib
from ie_scaling.train.config import TrainConfig
from ie_scaling.train.sweep_config import SweepConfig

SHAPE = "d24-n2-h2-k1-c10-f37-v1024"
HUGE = 10**400


def nested(path, value):
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        *(("seed", value) for value in (-1, 2**32, HUGE)),
        *(("n_tokens", value) for value in (-1, 0, 10**30, HUGE)),
        *(("variant", value) for value in ("x" * 100_000, "a\nb", "/../../x", "\0")),
        *(("recipe.sequence_length", value) for value in (0, 10**12, HUGE)),
        *(("recipe.batch_size", value) for value in (-4, 10**12)),
        ("recipe.eval_tokens", HUGE),
        *(
            (f"recipe.optimizer.{name}", value)
            for name in ("learning_rate", "clip_norm", "epsilon")
            for value in (math.nan, math.inf, 0.0, -1.0)
        ),
        *((f"recipe.optimizer.{name}", value) for name in ("weight_decay", "z_loss") for value in (math.nan, math.inf)),
        *((f"recipe.optimizer.{name}", 1.0) for name in ("beta1", "beta2")),
        ("recipe.optimizer.warmup_steps", 10**12),
        *(("recipe.corpus_weight", value) for value in (math.nan, math.inf, 0.0)),
        *(("runtime.checkpoint.every_s", value) for value in (math.nan, math.inf, -1.0)),
        ("runtime.checkpoint.keep", HUGE),
        ("runtime.mesh.data", HUGE),
        ("runtime.accumulation", HUGE),
        *(("runtime.spike_nats", value) for value in (math.nan, math.inf)),
        ("runtime.log.profile_steps", HUGE),
    ],
)
def test_absurd_values_are_named(path, value):
    with pytest.raises(InputError, match=path.rpartition(".")[2]) as raised:
        config_lib.build(TrainConfig, nested(path, value))
    assert len(str(raised.value)) < 400
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "run",
    [
        "x" * 100_000,
        f"{SHAPE}@500000" + ",source=a" * 30_000,
        *(f"{SHAPE}@{tokens}" for tokens in ("9" * 310, "1.5", "0", "0N", "nan", "1e-3", "1.5BB", "٣", "9" * 60 + "N")),
        f"{SHAPE}@500000-s" + "9" * 310,
        f"{SHAPE}@500000,source=../../elsewhere",
        f"{SHAPE}@500000,source=a\nb",
        f"{SHAPE}@500000,source=" + "(" * 900,
        f"{SHAPE}@500000,optimizer.learning_rate=1e400",
        f"{SHAPE}@500000,batch_size=9**9**9",
        f"{SHAPE}@500000,optimizer=3",
    ],
)
def test_absurd_runs_of_a_sweep_are_named(run):
    with pytest.raises(InputError, match="runs=") as raised:
        config_lib.build(SweepConfig, {"runs": (run,)})
    assert len(str(raised.value)) < 1200
    assert "\n" not in str(raised.value)


def test_runs_may_give_tokens_as_people_write_them():
    runs = tuple(f"{SHAPE}@{tokens}" for tokens in ("2M", "2.5e6", "60N"))
    per_parameter = 60 * accounting.count_parameters(Architecture.parse(SHAPE))
    assert [plan.n_tokens for plan in SweepConfig(runs=runs).plans] == [2_000_000, 2_500_000, per_parameter]
