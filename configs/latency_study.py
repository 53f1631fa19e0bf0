"""Decode latency against depth, aspect ratio, batch, g and r on this device, and a law of it tested on new shapes.

python run.py --config=configs/latency_study.py                       two CPU cores, shapes of 6M to 84M parameters
python run.py --config=configs/latency_study.py:accelerator           shapes about 1B, bfloat16, the papers' workloads
python run.py --config=configs/latency_study.py --config.sweeps="('depth',)" --config.random.n_held_out=0

Cost: 8 to 20 minutes on two CPU cores; --dry_run says for each sweep. Expect report.html, summary.json with every
figure and its interval, latency.csv of all cases, a directory for each sweep with its raw samples, and law/ with the
posterior and its predictions. Interrupted, it goes on with the sweep it was at.

What the papers say, for this device to confirm or not: TPOT is linear in depth at fixed width, shapes of one size
differ by up to 3.5 times (Bian et al. 2025); larger d, larger r and larger g raise throughput (Bian et al. 2025b).
Their workloads: batch 1, 128 prompt and 256 new tokens; and 4,096 and 1,024, batch swept. The CPU's are scaled down.
"""

from experiments import time_decode
from experiments.latency_study.config import (
    AssumedRatesConfig,
    Config,
    LongContextConfig,
    ProportionsConfig,
    RandomConfig,
)
from ie_scaling.running.config import to_config_dict
from ie_scaling.workload import LENGTHS


def get_config(name: str = "cpu"):
    studies = {"cpu": Config, "accelerator": accelerator}
    if name not in studies:  # a ValueError would reach the user as a traceback in the message of the flag's parser
        raise LookupError(f"configs/latency_study.py:{name}: unknown name; must be one of {', '.join(studies)}")
    return to_config_dict(studies[name](), "latency_study")


def accelerator() -> Config:
    """Proportions of Llama-3.2-1B, B25's workload for depth, d/n and batch, B25b's for g and r."""
    short, long = LENGTHS["bian2025"], LENGTHS["bian2025b"]
    return Config(
        proportions=ProportionsConfig(
            vocab_size=50432,
            tied_embeddings=False,
            d_head=64,
            query_group=4,
            mlp_attention_ratio=4.8,
            d_ff_multiple=128,
        ),
        prompt_tokens=short[0],
        new_tokens=short[1],
        depth_widths=(1024, 2048),
        depths=(2, 4, 8, 16, 24, 32),
        sizes=(300_000_000, 1_000_000_000),
        aspect_ratios=(16.0, 512.0),
        batches=(1, 2, 4, 8, 16, 32, 64, 128),
        long_context=LongContextConfig(
            d_model=2048,
            n_layers=16,
            prompt_tokens=long[0],
            new_tokens=long[1],
            batches=(1, 4),
            mlp_ratios=(0.5, 1.0, 2.0, 4.8, 8.0),
        ),
        random=RandomConfig(prompt_tokens=(64, long[0]), new_tokens=(32, long[1]), max_request_s=4.0),
        max_case_gib=32.0,
        assumed=AssumedRatesConfig(bytes_per_s=1e12, flops_per_s=1e14, compile_s=10.0, compile_s_per_layer=0.5),
        decode=time_decode.Config(dtype="bfloat16", repeats=10, max_repeats=20, max_measure_s=15.0),
    )
