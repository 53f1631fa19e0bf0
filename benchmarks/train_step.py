"""Speed of a training step beside transformers' Llama in torch: tokens/s, and the share of the measured matmul peak.

  python benchmarks/train_step.py [--d_models=256,512,1024] [--out=results/train_step_cpu.json]

Needs torch and transformers beside this package (make .venv-torch/.installed; .venv-torch/bin/python ...). The same
shape, batch, float32, AdamW, clipping at 1 and no z-loss on both sides, each in a process of its own that has the
machine for itself, in turns; medians over steps, then over turns. Torch runs eagerly with its fused AdamW and its
fused attention, on as many threads as there are cores; ours with the layers written out (runtime.scan_layers=False).
The peak is the largest of all timings of the product of two square float32 matrices in the same processes; a step's
FLOPs are 3·(2·N_non + 2·V·d + 4·n·T·h·c) a token, the masked half of attention counted. Nothing is asserted.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from absl import app, flags

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import peers  # noqa: E402
from ie_scaling import accounting, files, host_memory, markdown  # noqa: E402
from ie_scaling.architecture import Architecture  # noqa: E402

_D_MODELS = flags.DEFINE_list("d_models", ["256", "384", "512", "768", "1024"], "Model widths.")
_LAYERS = flags.DEFINE_integer("layers", 4, "Layers of each.")
_BATCH = flags.DEFINE_integer("batch", 8, "Sequences a step.")
_LENGTH = flags.DEFINE_integer("length", 256, "Tokens of a sequence.")
_TURNS = flags.DEFINE_integer("turns", 3, "Processes of each side, in turns.")
_SECONDS = flags.DEFINE_float("seconds", 8.0, "Least time measured in each process.")
_OUT = flags.DEFINE_string("out", "", "Write the figures to this JSON file.")
_SIDE = flags.DEFINE_enum("side", "", ["", "ours", "torch"], "Internal: measure one side and print it.")
VOCAB = 4096
N_THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
MATMUL = 2048
SIDES = ("ours", "torch")


def main(_) -> None:
    """Measure every width on both sides and print the table."""
    widths = [int(width) for width in _D_MODELS.value]
    if _SIDE.value:
        measure = {"ours": measure_ours, "torch": measure_torch}[_SIDE.value]
        print(json.dumps(measure(shape_of(widths[0]), _BATCH.value, _LENGTH.value, _SECONDS.value)))
        return
    found = {
        "rows": [compare(width) for width in widths],
        "environment": environment(),
        "date": time.strftime("%Y-%m-%d"),
    }
    print(
        markdown.table(["d_model", "tokens/s", "torch", "ratio", "share of peak", "torch's"], table_rows(found["rows"]))
    )
    if _OUT.value:
        files.write_json(Path(_OUT.value), found)


def shape_of(d_model: int) -> Architecture:
    """Heads of 64 in groups of two, MLP of 8/3 the width in whole 64s."""
    heads = d_model // 64
    d_ff = 64 * round(8 * d_model / 3 / 64)
    return Architecture(
        d_model=d_model,
        n_layers=_LAYERS.value,
        n_heads=heads,
        n_kv_heads=heads // 2,
        d_head=64,
        d_ff=d_ff,
        vocab_size=VOCAB,
    )


def compare(d_model: int) -> dict:
    """Both sides in turns; medians."""
    measured: dict[str, list[dict]] = {side: [] for side in SIDES}
    for _ in range(_TURNS.value):
        for side in SIDES:
            measured[side].append(run_side(side, d_model))
            print(f"d {d_model} {side}: {measured[side][-1]}", file=sys.stderr, flush=True)
    a = shape_of(d_model)
    n_tokens = _BATCH.value * _LENGTH.value
    flops = accounting.training_flops(a, n_tokens, _LENGTH.value)
    step_s = {side: statistics.median(found["step_s"] for found in measured[side]) for side in SIDES}
    peak = max(found["matmul_flops_per_s"] for found in (*measured["ours"], *measured["torch"]))
    return {
        "architecture": a.name,
        "n_params": accounting.count_parameters(a),
        "tokens_per_step": n_tokens,
        "tokens_per_s": {side: n_tokens / step_s[side] for side in SIDES},
        "ratio": step_s["torch"] / step_s["ours"],
        "ratios_by_turn": [theirs["step_s"] / ours["step_s"] for ours, theirs in zip(*measured.values(), strict=True)],
        "share_of_peak": {side: flops / step_s[side] / peak for side in SIDES},
        "matmul_flops_per_s": peak,
        "first_losses": {side: measured[side][0]["loss"] for side in SIDES},
    }


def run_side(side: str, d_model: int) -> dict:
    """One side in a process of its own."""
    given = [f"--{name}={flags.FLAGS[name].value}" for name in ("layers", "batch", "length", "seconds")]
    command = [sys.executable, __file__, f"--side={side}", f"--d_models={d_model}", *given]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return json.loads(done.stdout.splitlines()[-1])


def time_calls(call: Callable[[], object], seconds: float) -> float:
    """Median seconds of a call, over at least `seconds` and five calls, after six: the heap grows over a few steps."""
    for _ in range(6):
        call()
    taken: list[float] = []
    while sum(taken) < seconds or len(taken) < 5:
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def batches(batch: int, length: int) -> np.ndarray:
    """Random tokens, eight batches that are gone through in turn."""
    return np.random.default_rng(0).integers(0, VOCAB, (8, batch, length + 1)).astype(np.int32)


def measure_ours(a: Architecture, batch: int, length: int, seconds: float) -> dict:
    """The compiled step of ie_scaling.train, in a process as run.py makes it."""
    host_memory.keep_freed_blocks()
    import jax

    from ie_scaling.train import step
    from ie_scaling.train.config import OptimizerConfig, RecipeConfig
    from ie_scaling.train.runtime_config import RuntimeConfig

    recipe = RecipeConfig(
        sequence_length=length, batch_size=batch, optimizer=OptimizerConfig(z_loss=0.0, weight_decay=0.01)
    )
    program = step.build(a, recipe, RuntimeConfig(scan_layers=False))
    state, tokens, losses = program.init(jax.random.key(0)), batches(batch, length), []

    def one_step() -> None:
        nonlocal state
        placed = program.place_batch(tokens[len(losses) % len(tokens)])
        state, metrics = program.train(state, placed, np.float32(1e-3))
        losses.append(float(metrics["loss"]))

    step_s = time_calls(one_step, seconds)
    square = jax.random.normal(jax.random.key(1), (MATMUL, MATMUL))
    multiply = jax.jit(lambda left, right: left @ right)
    matmul_s = time_calls(lambda: multiply(square, square).block_until_ready(), 2.0)
    return {"step_s": step_s, "matmul_flops_per_s": 2 * MATMUL**3 / matmul_s, "loss": losses[0]}


def measure_torch(a: Architecture, batch: int, length: int, seconds: float) -> dict:
    """transformers' LlamaForCausalLM, eager."""
    import torch

    model = peers.torch_llama(a, length, N_THREADS, use_cache=False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.01, fused=True)
    tokens, losses = torch.from_numpy(batches(batch, length)).long(), []

    def one_step() -> None:
        window = tokens[len(losses) % len(tokens)]
        logits = model(input_ids=window[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), window[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())

    step_s = time_calls(one_step, seconds)
    square = torch.randn(MATMUL, MATMUL)
    matmul_s = time_calls(lambda: square @ square, 2.0)
    return {"step_s": step_s, "matmul_flops_per_s": 2 * MATMUL**3 / matmul_s, "loss": losses[0]}


def table_rows(rows: list[dict]) -> list[list[str]]:
    """One row a width."""
    return [
        [
            row["architecture"],
            f"{row['tokens_per_s']['ours']:,.0f}",
            f"{row['tokens_per_s']['torch']:,.0f}",
            f"{row['ratio']:.2f} ({min(row['ratios_by_turn']):.2f}–{max(row['ratios_by_turn']):.2f})",
            f"{row['share_of_peak']['ours']:.0%}",
            f"{row['share_of_peak']['torch']:.0%}",
        ]
        for row in rows
    ]


def environment() -> dict:
    """What measured."""
    import torch
    import transformers

    from ie_scaling import workdir

    versions = {"torch": torch.__version__, "transformers": transformers.__version__, "threads": N_THREADS}
    return workdir.describe_environment() | {"peers": versions}


if __name__ == "__main__":
    app.run(main)
