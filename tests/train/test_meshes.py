"""However a step is spread over devices and memory, it is the same step: 20 of them, losses to 1e-5."""

import dataclasses
import functools

import jax
import numpy as np
import pytest

from ie_scaling.architecture import Architecture
from ie_scaling.model import sharding, transformer
from ie_scaling.train import loop, step
from ie_scaling.train.config import OptimizerConfig, RecipeConfig
from ie_scaling.train.runtime_config import CheckpointConfig, MeshConfig, RuntimeConfig
from tests.train.test_loop import interrupt_after

SHAPE = Architecture(d_model=32, n_layers=2, n_heads=8, n_kv_heads=8, d_head=4, d_ff=40, vocab_size=64)
RECIPE = RecipeConfig(batch_size=16, optimizer=OptimizerConfig(learning_rate=3e-3))
END = 5
N_STEPS = 20


@pytest.fixture
def quickly():
    """What is tested is what the programs compute, not how fast: they are compiled with fewer optimizations."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
    step._build.cache_clear()  # whoever trains the same decoder next shall not find a program of fewer optimizations


def batch(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, SHAPE.vocab_size, (16, 12)).astype(np.int32)


@functools.cache
def losses(runtime: RuntimeConfig, document_mask: bool = False) -> list[float]:
    program = step.build(SHAPE, dataclasses.replace(RECIPE, document_mask=document_mask), runtime, END)
    state, values = program.init(jax.random.key(0)), []
    for number in range(N_STEPS):
        state, metrics = program.train(state, program.place_batch(batch(number)), np.float32(0.003))
        values.append(float(metrics["loss"]))
    assert values[-1] < values[0]
    return values


@pytest.mark.parametrize(
    "mesh",
    [
        *(
            pytest.param(MeshConfig(**{axis: 8}), marks=pytest.mark.slow, id=axis)
            for axis in ("data", "fsdp", "tensor")
        ),
        pytest.param(MeshConfig(data=2, fsdp=2, tensor=2), id="mixed"),
    ],
)
def test_eight_devices_train_as_one(mesh, quickly):
    np.testing.assert_allclose(losses(RuntimeConfig(mesh=mesh)), losses(RuntimeConfig()), atol=1e-5)


@pytest.mark.parametrize(
    "runtime",
    [
        pytest.param(RuntimeConfig(accumulation=4), marks=pytest.mark.slow),
        RuntimeConfig(accumulation=2, mesh=MeshConfig(data=2, fsdp=2)),
        RuntimeConfig(remat="full"),
        RuntimeConfig(remat="dots"),
        RuntimeConfig(scan_layers=False),
        pytest.param(RuntimeConfig(scan_layers=False, remat="full"), marks=pytest.mark.slow),
    ],
    ids=["accumulation", "accumulation on a mesh", "remat full", "remat dots", "unrolled", "unrolled, remat full"],
)
def test_memory_saving_changes_no_loss(runtime, quickly):
    np.testing.assert_allclose(losses(runtime), losses(RuntimeConfig()), atol=1e-5)


@pytest.mark.slow
def test_a_document_mask_changes_losses_and_is_the_same_on_a_mesh(quickly):
    masked = losses(RuntimeConfig(), document_mask=True)
    assert np.abs(np.subtract(masked, losses(RuntimeConfig()))).max() > 1e-3
    spread = losses(RuntimeConfig(mesh=MeshConfig(data=2, fsdp=2, tensor=2)), document_mask=True)
    np.testing.assert_allclose(spread, masked, atol=1e-5)


def test_masked_documents_do_not_see_one_another():
    """Each document's logits are those of the document alone, at any place in the row."""
    first, second = np.array([7, 9, 11, END]), np.array([3, 8, 2, 6, 4])
    parameters = transformer.init(SHAPE, jax.random.key(1))
    row = np.concatenate([first, second])[None]
    numbers = step.document_numbers(row, END)
    assert numbers.tolist() == [[0] * 4 + [1] * 5]
    together = transformer.forward(SHAPE, parameters, row, document_BT=numbers)
    apart = transformer.forward(SHAPE, parameters, second[None])
    np.testing.assert_allclose(together[:, 4:], apart, atol=1e-5)


@pytest.mark.slow
def test_remat_keeps_less_for_the_backward_pass():
    """Temporary bytes of the compiled step: full < dots < none."""

    def temporary_bytes(remat):
        program = step.build(dataclasses.replace(SHAPE, n_layers=8), RECIPE, RuntimeConfig(remat=remat))
        state = jax.eval_shape(program.init, jax.random.key(0))
        compiled = program.train.lower(state, jax.ShapeDtypeStruct((16, 129), np.int32), np.float32(0)).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    full, dots, none = (temporary_bytes(remat) for remat in ("full", "dots", "none"))
    assert full < dots < none


def test_the_model_is_never_whole_on_one_device():
    """Compiled initialization: no device gets more than its eighth of the split parameters, nor needs it meanwhile."""
    big = dataclasses.replace(SHAPE, d_model=512, d_ff=1024, d_head=64)
    program = step.build(big, RECIPE, RuntimeConfig(mesh=MeshConfig(fsdp=8)))
    memory = program.init.lower(jax.random.key(0)).compile().memory_analysis()
    state = jax.eval_shape(program.init, jax.random.key(0))
    whole = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))
    assert memory.output_size_in_bytes < 1.05 * whole / 8
    assert memory.temp_size_in_bytes < whole / 3  # parameters alone are a third


def test_weights_are_gathered_and_not_activations():
    """Under fsdp the compiled step gathers weights; the largest collective is a weight's, not the batch's."""
    program = step.build(SHAPE, RECIPE, RuntimeConfig(mesh=MeshConfig(fsdp=8)))
    state = jax.eval_shape(program.init, jax.random.key(0))
    text = program.train.lower(state, jax.ShapeDtypeStruct((16, 129), np.int32), np.float32(0)).compile().as_text()
    assert "all-gather" in text
    assert f"f32[16,128,{SHAPE.d_model}]" not in text  # the whole batch's activations on one device


def test_hosts_of_batch_is_everything_for_one_process():
    assert sharding.hosts_of_batch(sharding.make_mesh(2, 2, 2), 16) == (0, 1)


@pytest.mark.slow
def test_a_run_goes_on_upon_another_mesh(plan, tmp_path, monkeypatch, quickly):
    runtime = dataclasses.replace(plan.runtime, checkpoint=CheckpointConfig(every_steps=1))
    on_one = dataclasses.replace(plan, runtime=runtime)
    on_four = dataclasses.replace(plan, runtime=dataclasses.replace(runtime, mesh=MeshConfig(data=2, fsdp=2)))
    expected = loop.run(on_one, tmp_path / "whole")["loss"]
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_after(patch, 5)
        loop.run(on_four, tmp_path / "moved")
    row = loop.run(on_one, tmp_path / "moved")
    assert row["loss"] == pytest.approx(expected, abs=1e-5)
