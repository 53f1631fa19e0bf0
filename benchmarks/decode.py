"""Speed of decoding: TPOT over the measured floor, and beside transformers' generate in torch.

  python benchmarks/decode.py [--batches=1,8,32] [--out=results/decode_cpu.json]

Needs torch and transformers beside this package (make .venv-torch/.installed; .venv-torch/bin/python ...). The same
shapes, lengths and type, greedy, no early stop, random weights, each side in a process of its own that has the machine
for itself, in turns; the median over all samples of all turns. Ours is the engine of ie_scaling.latency in loop mode,
timed as `configs/time_decode.py` does; torch runs LlamaForCausalLM.generate with its default cache, on as many threads
as there are cores, its tokens' arrivals taken from a streamer. The floor is max(bytes / bandwidth, FLOPs / rate) with
the median of the rates that our own process measured before each of its requests; TPOT over it is the median over
turns. Nothing is asserted. With --peer=none only ours runs (torch is not needed), as on an accelerator.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from absl import app, flags

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import peers  # noqa: E402
from ie_scaling import accounting  # noqa: E402
from ie_scaling.architecture import Architecture  # noqa: E402
from ie_scaling.running import files, host_memory, markdown  # noqa: E402
from ie_scaling.shapes import lookup  # noqa: E402

SHAPES = [
    "d256-n24-h4-k2-c64-f704-v16384-tied",
    "d512-n5-h8-k2-c64-f1408-v16384-tied",
    "d512-n16-h8-k2-c64-f1408-v16384-tied",
    "d768-n7-h12-k4-c64-f2112-v16384-tied",
    "d768-n16-h12-k4-c64-f2112-v16384-tied",
    "d1024-n12-h16-k4-c64-f2816-v16384-tied",
    "d1024-n24-h16-k4-c64-f2816-v16384-tied",
    "d1536-n14-h24-k8-c64-f4096-v16384-tied",
]
_ARCHITECTURES = flags.DEFINE_list("architectures", SHAPES, "Shapes, or names of public models.")
_BATCHES = flags.DEFINE_list("batches", ["1", "8", "32"], "Batch sizes.")
_PROMPT = flags.DEFINE_integer("prompt_tokens", 64, "Tokens of each prompt.")
_NEW = flags.DEFINE_integer("new_tokens", 33, "New tokens.")
_TURNS = flags.DEFINE_integer("turns", 2, "Processes of each side, in turns.")
_REPEATS = flags.DEFINE_integer("repeats", 5, "Requests timed in each process.")
_DTYPE = flags.DEFINE_string("dtype", "float32", "Type of weights and cache.")
_PEER = flags.DEFINE_enum("peer", "torch", ["torch", "none"], "What to measure beside.")
_OUT = flags.DEFINE_string("out", "", "Write the figures, raw samples included, to this JSON file.")
_SIDE = flags.DEFINE_enum("side", "", ["", "ours", "torch"], "Internal: measure one side and print it.")
N_THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
PASSED_ON = ("prompt_tokens", "new_tokens", "repeats", "dtype")
HEADER = ["shape", "size", "batch", "TPOT ms", "floor ms", "/floor", "torch TPOT", "× faster", "TTFT ms", "torch TTFT"]


def main(_) -> None:
    """Measure every shape at every batch size and print the table."""
    architectures = [lookup.resolve(spec) for spec in _ARCHITECTURES.value]
    if _SIDE.value:
        measure = {"ours": measure_ours, "torch": measure_torch}[_SIDE.value]
        print(json.dumps(measure(architectures[0], int(_BATCHES.value[0]))))
        return
    rows: list[dict] = []
    for batch in _BATCHES.value:
        for a in architectures:
            rows.append(compare(a, int(batch)))
            if _OUT.value:  # what is measured is kept, whatever comes after
                found = {"rows": rows, "environment": describe_environment(), "date": time.strftime("%Y-%m-%d")}
                files.write_json(Path(_OUT.value), found)
    print(markdown.table(HEADER, [table_row(row) for row in rows]))
    for batch in _BATCHES.value:
        print(summary([row for row in rows if row["batch"] == int(batch)]))


def compare(a: Architecture, batch: int) -> dict:
    """Both sides in turns; medians over all samples."""
    sides = ["ours", "torch"] if _PEER.value == "torch" else ["ours"]
    measured: dict[str, list[dict]] = {side: [] for side in sides}
    for turn in range(_TURNS.value):
        for side in sides[:: 1 if turn % 2 == 0 else -1]:
            measured[side].append(run_side(side, a, batch))
    row: dict = {"architecture": a.name, "n_params": accounting.count_parameters(a), "batch": batch}
    row |= {"prompt_tokens": _PROMPT.value, "new_tokens": _NEW.value, "dtype": _DTYPE.value, "samples": measured}
    for name in ("tpot_s", "ttft_s"):
        row[name] = {side: statistics.median(x for turn in measured[side] for x in turn[name]) for side in sides}
    for name in ("floor_s", "over_floor"):
        row[name] = statistics.median(turn[name] for turn in measured["ours"])
    row["ratio"] = row["tpot_s"]["torch"] / row["tpot_s"]["ours"] if "torch" in sides else None
    print(f"{a.name} batch {batch}: {table_row(row)[3:]}", file=sys.stderr, flush=True)
    return row


def run_side(side: str, a: Architecture, batch: int) -> dict:
    """One side in a process of its own."""
    given = [f"--{name}={flags.FLAGS[name].value}" for name in PASSED_ON]
    command = [sys.executable, __file__, f"--side={side}", f"--architectures={a.name}", f"--batches={batch}", *given]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise RuntimeError(f"{side}, {a.name}, batch {batch}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def measure_ours(a: Architecture, batch: int) -> dict:
    """As `configs/time_decode.py` times."""
    host_memory.keep_freed_blocks()
    from ie_scaling.latency import benchmark
    from ie_scaling.latency.config import TimingConfig
    from ie_scaling.workload import Case, Workload

    load = Workload(batch=batch, prompt_tokens=_PROMPT.value, new_tokens=_NEW.value, dtype=_DTYPE.value)
    config = TimingConfig(repeats=_REPEATS.value, max_repeats=_REPEATS.value)
    timed = benchmark.time_cases([Case(architecture=a, workload=load)], config)
    (row,), samples = timed.rows, timed.samples
    n_steps = _NEW.value - 1
    return {
        "tpot_s": [(sample["e2e_s"] - sample["ttft_s"]) / n_steps for sample in samples],
        "ttft_s": [sample["ttft_s"] for sample in samples],
        **{
            name: row[name]
            for name in ("floor_s", "over_floor", "ceiling_bytes_per_s", "ceiling_flops_per_s", "step_bytes")
        },
    }


def measure_torch(a: Architecture, batch: int) -> dict:
    """transformers' generate, greedy, of a fixed length."""
    import torch

    no_end = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"))
    model = peers.torch_llama(a, _PROMPT.value + _NEW.value, N_THREADS, **no_end)
    model = model.to(getattr(torch, _DTYPE.value)).eval()
    prompt = np.random.default_rng(0).integers(0, a.vocab_size, (batch, _PROMPT.value))
    token_BT = torch.from_numpy(prompt)
    tpot_s, ttft_s = [], []
    for _ in range(2 + _REPEATS.value):
        arrivals = Arrivals()
        start = time.perf_counter()
        with torch.inference_mode():
            made = model.generate(
                token_BT,
                attention_mask=torch.ones_like(token_BT),
                max_new_tokens=_NEW.value,
                min_new_tokens=_NEW.value,
                do_sample=False,
                use_cache=True,
                streamer=arrivals,
            )
        assert made.shape == (batch, _PROMPT.value + _NEW.value)
        assert len(arrivals.at_s) == _NEW.value
        ttft_s.append(arrivals.at_s[0] - start)
        tpot_s.append((arrivals.at_s[-1] - arrivals.at_s[0]) / (_NEW.value - 1))
    return {"tpot_s": tpot_s[2:], "ttft_s": ttft_s[2:]}


class Arrivals:
    """A streamer for `generate` that notes when each new token comes; the first call brings the prompt."""

    def __init__(self):
        self.at_s, self._prompt_seen = [], False

    def put(self, value) -> None:
        """Called with the prompt, then with each new token of the batch."""
        if self._prompt_seen:
            self.at_s.append(time.perf_counter())
        self._prompt_seen = True

    def end(self) -> None:
        """Called last."""


def table_row(row: dict) -> list[str]:
    """One row of the table."""
    tpot_s, ttft_s = row["tpot_s"], row["ttft_s"]
    torch_ms = [f"{1e3 * series['torch']:.2f}" if "torch" in series else "" for series in (tpot_s, ttft_s)]
    return [
        row["architecture"],
        f"{row['n_params'] / 1e6:.0f}M",
        str(row["batch"]),
        f"{1e3 * tpot_s['ours']:.2f}",
        f"{1e3 * row['floor_s']:.2f}",
        f"{row['over_floor']:.2f}",
        torch_ms[0],
        f"{row['ratio']:.2f}" if row["ratio"] else "",
        f"{1e3 * ttft_s['ours']:.1f}",
        torch_ms[1],
    ]


def summary(rows: list[dict]) -> str:
    """The median and the worst of a batch size."""
    over = [row["over_floor"] for row in rows]
    line = f"batch {rows[0]['batch']}: TPOT / floor {statistics.median(over):.2f}, {max(over):.2f} at most"
    ratios = [row["ratio"] for row in rows if row["ratio"]]
    if ratios:
        line += f"; {statistics.median(ratios):.2f}× faster than torch at the median, {min(ratios):.2f}× at least"
    return line


def describe_environment() -> dict:
    """What measured."""
    from ie_scaling.running import environment

    found = environment.describe()
    if _PEER.value == "torch":
        import torch
        import transformers

        found["peers"] = {"torch": torch.__version__, "transformers": transformers.__version__, "threads": N_THREADS}
    return found


if __name__ == "__main__":
    app.run(main)
