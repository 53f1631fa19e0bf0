"""Speed of a training step beside transformers' Llama in torch: tokens/s, and the share of the measured matmul peak.

  python benchmarks/train_step.py [--d_models=256,512,1024] [--out=results/train_step_cpu.json]

Needs torch and transformers beside this package (make .venv-torch/.installed; .venv-torch/bin/python ...). The same
shape, batch, float32, AdamW, clipping at 1 and no z-loss on both sides, each in a process of its own. The two take
turns step by step, while the other waits, so that both meet the machine in the same mood; a ratio is of the two steps
of one round, and its median over rounds comes with a 90 % interval by bootstrap. Torch runs eagerly with its fused
AdamW and its fused attention, on as many threads as there are cores; ours with the layers written out
(runtime.scan_layers=False). The peak is the faster of both sides' products of two square float32 matrices in the same
round; a step's FLOPs are 3·(2·N_non + 2·V·d + 4·n·T·h·c) a token, the masked half of attention counted. Nothing is
asserted.
"""

import itertools
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
from ie_scaling import accounting  # noqa: E402
from ie_scaling.architecture import Architecture  # noqa: E402
from ie_scaling.running import files, host_memory, markdown  # noqa: E402

_D_MODELS = flags.DEFINE_list("d_models", ["256", "384", "512", "768", "1024"], "Model widths.")
_LAYERS = flags.DEFINE_integer("layers", 4, "Layers of each.")
_BATCH = flags.DEFINE_integer("batch", 8, "Sequences a step.")
_LENGTH = flags.DEFINE_integer("length", 256, "Tokens of a sequence.")
_ROUNDS = flags.DEFINE_integer("rounds", 12, "Least steps of each side, in turns.")
_SECONDS = flags.DEFINE_float("seconds", 20.0, "Least time measured of each side.")
_OUT = flags.DEFINE_string("out", "", "Write the figures to this JSON file.")
_SIDE = flags.DEFINE_enum("side", "", ["", "ours", "torch"], "Internal: serve one side.")
VOCAB = 4096
N_THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
MATMUL = 2048
WARM_UP = 6  # the heap grows over a few steps
SIDES = ("ours", "torch")


def main(_) -> None:
    """Measure every width on both sides and print the table."""
    widths = [int(width) for width in _D_MODELS.value]
    if _SIDE.value:
        serve({"ours": ours, "torch": in_torch}[_SIDE.value](shape_of(widths[0]), _BATCH.value, _LENGTH.value))
        return
    found = {
        "rows": [compare(width) for width in widths],
        "environment": describe_environment(),
        "date": time.strftime("%Y-%m-%d"),
    }
    print(
        markdown.table(
            ["d_model", "tokens/s", "torch", "ratio", "share of peak", "torch's"],
            [table_row(row) for row in found["rows"]],
        )
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


class Side:
    """One side in a process of its own, which does what it is asked and waits otherwise."""

    def __init__(self, side: str, d_model: int):
        given = [f"--{name}={flags.FLAGS[name].value}" for name in ("layers", "batch", "length")]
        command = [sys.executable, __file__, f"--side={side}", f"--d_models={d_model}", *given]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)

    def ask(self, what: str) -> float:
        """`loss` of the first step, or the seconds that one `step` or `product` takes."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def compare(d_model: int) -> dict:
    """Both sides, a step each in turns."""
    sides = {side: Side(side, d_model) for side in SIDES}
    losses = {side: one.ask("loss") for side, one in sides.items()}
    step_s: dict[str, list[float]] = {side: [] for side in SIDES}
    product_s: dict[str, list[float]] = {side: [] for side in SIDES}
    while len(step_s["ours"]) < _ROUNDS.value or min(map(sum, step_s.values())) < _SECONDS.value:
        for side in SIDES if len(step_s["ours"]) % 2 else SIDES[::-1]:
            step_s[side].append(sides[side].ask("step"))
            product_s[side].append(sides[side].ask("product"))
    for one in sides.values():
        one.close()
    a, n_tokens = shape_of(d_model), _BATCH.value * _LENGTH.value
    flops = accounting.training_flops(a, n_tokens, _LENGTH.value)
    step_R = {side: np.array(taken) for side, taken in step_s.items()}
    peak_R = 2 * MATMUL**3 / np.minimum(product_s["ours"], product_s["torch"])
    row = {
        "architecture": a.name,
        "n_params": accounting.count_parameters(a),
        "tokens_per_step": n_tokens,
        "tokens_per_s": {side: n_tokens / statistics.median(step_s[side]) for side in SIDES},
        "ratio": median_with_interval(step_R["torch"] / step_R["ours"]),
        "share_of_peak": {side: median_with_interval(flops / step_R[side] / peak_R) for side in SIDES},
        "product_flops_per_s": {side: 2 * MATMUL**3 / statistics.median(product_s[side]) for side in SIDES},
        "first_losses": losses,
        "step_s": step_s,
        "product_s": product_s,
    }
    print("\t".join(table_row(row)), file=sys.stderr, flush=True)
    return row


def median_with_interval(values_R: np.ndarray) -> list[float]:
    """The median of rounds, and 5 % and 95 % points of the medians of 4,000 resamples."""
    resampled = np.random.default_rng(0).choice(values_R, (4000, len(values_R)))
    low, high = np.quantile(np.median(resampled, axis=1), (0.05, 0.95))
    return [float(np.median(values_R)), float(low), float(high)]


def serve(calls: dict[str, Callable[[], object]]) -> None:
    """Warm up, then answer each line with the first loss or with the seconds that the call it names takes."""
    losses = [calls["step"]() for _ in range(WARM_UP)]
    calls["product"]()
    for line in sys.stdin:
        if line.strip() == "loss":
            print(losses[0], flush=True)
            continue
        start = time.perf_counter()
        calls[line.strip()]()
        print(time.perf_counter() - start, flush=True)


def batches(batch: int, length: int) -> np.ndarray:
    """Random tokens, eight batches that are gone through in turn."""
    return np.random.default_rng(0).integers(0, VOCAB, (8, batch, length + 1)).astype(np.int32)


def ours(a: Architecture, batch: int, length: int) -> dict[str, Callable[[], object]]:
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
    state, windows = program.init(jax.random.key(0)), itertools.cycle(batches(batch, length))

    def one_step() -> float:
        nonlocal state
        state, metrics = program.train(state, program.place_batch(next(windows)), np.float32(1e-3))
        return float(metrics["loss"])

    square = jax.random.normal(jax.random.key(1), (MATMUL, MATMUL))
    multiply = jax.jit(lambda left, right: left @ right)
    return {"step": one_step, "product": lambda: multiply(square, square).block_until_ready()}


def in_torch(a: Architecture, batch: int, length: int) -> dict[str, Callable[[], object]]:
    """transformers' LlamaForCausalLM, eager."""
    import torch

    model = peers.torch_llama(a, length, N_THREADS, use_cache=False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.01, fused=True)
    windows = itertools.cycle(torch.from_numpy(batches(batch, length)).long())

    def one_step() -> float:
        window = next(windows)
        logits = model(input_ids=window[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), window[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    square = torch.randn(MATMUL, MATMUL)
    return {"step": one_step, "product": lambda: square @ square}


def table_row(row: dict) -> list[str]:
    """One width's row of the printed table."""
    ratio, low, high = row["ratio"]
    return [
        row["architecture"],
        *(f"{row['tokens_per_s'][side]:,.0f}" for side in SIDES),
        f"{ratio:.2f} ({low:.2f}–{high:.2f})",
        *(f"{row['share_of_peak'][side][0]:.0%}" for side in SIDES),
    ]


def describe_environment() -> dict:
    """What measured."""
    import torch
    import transformers

    from ie_scaling.running import environment

    versions = {"torch": torch.__version__, "transformers": transformers.__version__, "threads": N_THREADS}
    return environment.describe() | {"peers": versions}


if __name__ == "__main__":
    app.run(main)
