"""Latency tables of devices whose parameters are known, in the layout of latency.csv."""

import itertools

import numpy as np
import pandas as pd

from ie_scaling.architecture import Architecture
from ie_scaling.latency_law import features as law_features
from ie_scaling.latency_law import formula, misfit
from ie_scaling.latency_law.features import FittedDevice
from ie_scaling.tables import latency_table
from ie_scaling.tables.latency_spread import P10_TO_P90
from ie_scaling.workload import Case, Workload, step_bytes, step_flops

TTFT_NOISE, TPOT_NOISE, MISFIT, RHO, MEDIAN_ERROR = 0.04, 0.03, 0.03, 0.3, 0.01
POPULATION = {  # where these devices' parameters lie, in standard deviations of the prior
    "overhead_s": 0.5,
    "fixed_share": -0.3,
    "batch_overhead_s": 0.5,
    "step_efficiency": -1.0,
    "efficiency_ratio": 0.2,
    "cache_efficiency": -0.5,
    "batch_gain": 0.5,
    "batch_reread": 0.6,
    "attention_efficiency": -0.7,
    "prefill_overhead_s": 0.4,
    "prefill_matrix_efficiency": -0.8,
    "prefill_attention_efficiency": 0.8,
    "sharpness": 0.3,
}
LOADS = [(1, 64, 33), (8, 64, 17), (1, 512, 33), (4, 256, 2)]


def device(number: int) -> FittedDevice:
    """One of a family of devices with a cache, each faster than the one before."""
    sizes = tuple(2.0**power for power in range(22, 31))
    speed = 20e9 * 3**number
    bandwidths = tuple(speed * (2.0 if size <= 2**25 else 1.0) for size in sizes)
    return FittedDevice(f"sim{number}", "float32", "loop", sizes, bandwidths, 5 * speed, (MEDIAN_ERROR, MEDIAN_ERROR))


def coordinates(rng: np.random.Generator, n_devices: int, spread: float) -> np.ndarray:
    """Standardised coordinates x_PK of devices that differ by `spread` about the population."""
    center_P = np.array([POPULATION.get(name, 0.0) for name in formula.NAMES])
    x_PK = center_P[:, None] + spread * rng.standard_normal((len(center_P), n_devices))
    scales = {"ttft_noise": TTFT_NOISE, "tpot_noise": TPOT_NOISE, "ttft_misfit": MISFIT, "tpot_misfit": MISFIT}
    for name, scale in scales.items():
        place = formula.NAMES.index(name)
        x_PK[place] = (np.log(scale) - formula.CENTER_P[place]) / formula.SPREAD_P[place]
    return x_PK


def cases(n_cases: int, seed: int) -> list[Case]:
    """Distinct shapes of 3 to 200 million parameters, each under one of LOADS."""
    rng, loads = np.random.default_rng(seed), itertools.cycle(LOADS)
    chosen = []
    for batch, prompt_tokens, new_tokens in itertools.islice(loads, n_cases):
        heads = int(rng.choice([2, 4, 6, 8, 12]))
        width = 64 * heads
        shape = Architecture(
            d_model=width,
            n_layers=int(rng.integers(2, 25)),
            n_heads=heads,
            n_kv_heads=int(rng.choice([1, 2, heads])),
            d_head=64,
            d_ff=int(width * rng.choice([1.5, 2, 3, 4])),
            vocab_size=int(rng.choice([2048, 8192, 32768])) + len(chosen),
            tied_embeddings=bool(rng.random() < 0.5),
        )
        load = Workload(batch=batch, prompt_tokens=prompt_tokens, new_tokens=new_tokens)
        chosen.append(Case(shape, load))
    return chosen


def table(
    chosen: list[Case], of: FittedDevice, x_P: np.ndarray, rng: np.random.Generator, session: float = 0.0
) -> pd.DataFrame:
    """What timing cases on a device of these coordinates would write, in a session that adds this to ln seconds."""
    z = formula.free_of(x_P[:, None])
    features = law_features.features_of(chosen, [of] * len(chosen))
    roots = [misfit.roots(misfit.correlation(each, each))[0] for each in misfit.sizes_of(chosen)]
    missed_2A = MISFIT * np.array([root @ rng.standard_normal(len(chosen)) for root in roots])
    first_A, second_A = rng.standard_normal((2, len(chosen)))
    second_A = RHO * first_A + np.sqrt(1 - RHO**2) * second_A
    scale = np.hypot([TTFT_NOISE, TPOT_NOISE], MEDIAN_ERROR)
    ttft_A = np.exp(formula.log_prefill_s(z, features) + session + missed_2A[0] + scale[0] * first_A)
    tpot_A = np.exp(formula.log_step_s(z, features, "serial") + session + missed_2A[1] + scale[1] * second_A)
    return pd.DataFrame([_row(*each, of) for each in zip(chosen, ttft_A, tpot_A, strict=True)])


def _row(case: Case, ttft_s: float, tpot_s: float, of: FittedDevice) -> dict:
    a, load, count = case.architecture, case.workload, 16
    e2e_s = ttft_s + (load.new_tokens - 1) * tpot_s
    reach = MEDIAN_ERROR * np.sqrt(count) * P10_TO_P90 / np.sqrt(np.pi / 2) / 2
    timed = {"ttft_s": ttft_s, "tpot_s": tpot_s, "e2e_s": e2e_s, "tokens_per_s": load.batch * load.new_tokens / e2e_s}
    spread = {f"{name}_{tail}": value * (1 + side * reach) for name, value in timed.items() for tail, side in TAILS}
    moved = step_bytes(a, load)
    octave = 2.0 ** np.clip(np.round(np.log2(moved)), 22, 30)
    return latency_table.latency_record(
        a,
        device_kind=of.device_kind,
        n_devices=1,
        dtype=load.dtype,
        batch=load.batch,
        prompt_tokens=load.prompt_tokens,
        new_tokens=load.new_tokens,
        mode=load.mode,
        compile_s=1.0,
        **timed,
        **spread,
        count=count,
        floor_s=moved / of.bandwidth(octave),
        step_bytes=moved,
        step_flops=step_flops(a, load),
        ceiling_bytes_per_s=of.bandwidth(octave),
        ceiling_flops_per_s=of.flops_per_s,
    )


TAILS = (("p10", -1), ("p90", 1), ("p99", 2))
