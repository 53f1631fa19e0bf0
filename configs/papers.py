"""Train one of the two papers' shapes as far as their set-up is known:  --config=configs/papers.py:NAME

python run.py --config=configs/papers.py:surefire-3b --dry_run
python run.py --config=configs/papers.py:morph-1b --config.recipe.corpus.text=FOLDER

NAME is morph-1b (default), morph-1b-v1 or morph-1b-v2 or a run_id of data/bian2025.csv, such as 80M_v1@20N (Bian et al.
2025); or panda-1b, surefire-1b, llama-3.2-1b, panda-3b, panda-3b-circ, surefire-3b or llama-3.2-3b (Bian et al. 2025b).

Cost: about 200 device-hours of H100 at 1B and 29 billion tokens, 1,700 at 3B and 100 billion; --dry_run says. Expect
the papers' losses only on the papers' text (DCLM-Baseline under the GPT-NeoX tokenizer; Dolma 1.7), which is yours to
supply: `recipe.corpus`.

Known of the first paper's models (from the authors' scripts): everything in MORPH and MORPH_SMALL but
text, mesh and remat policy. Which batch each of the small runs had is unverified. Their layers had LayerNorm where
these have RMSNorm, and their printed loss is a running mean of the training loss, z-loss included (inferred).

Known of the Panda and Surefire models: 100 billion tokens; the rest is unverified. Betas, decay,
clipping, schedule, 500 steps of warm-up and sequences of 2,048 are those of Chen et al. 2025 (arXiv 2505.14302), which
the paper says it mainly follows; learning rate, batch and z-loss were not found and are MORPH's; vocabulary, tied
embeddings and heads: see docs/public_shapes.md.
"""

import csv
import dataclasses
from pathlib import Path

from ie_scaling.architecture import SHAPE_FIELDS, Architecture
from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.running.config import to_config_dict
from ie_scaling.shapes import lookup
from ie_scaling.train.config import OptimizerConfig, RecipeConfig, TrainConfig
from ie_scaling.train.runtime_config import MeshConfig, PriceConfig, RuntimeConfig

TABLE = Path(__file__).resolve().parent.parent / "data" / "bian2025.csv"
MORPH = RecipeConfig(
    corpus=CorpusConfig(directory="runs/corpus-dclm", max_bytes=0),
    sequence_length=2048,
    batch_size=256,
    optimizer=OptimizerConfig(
        learning_rate=3e-3,
        schedule="cosine",
        final_fraction=0.01,
        warmup_steps=5000,
        beta1=0.9,
        beta2=0.95,
        weight_decay=0.033,
        clip_norm=1.0,
        z_loss=1e-4,
    ),
    dtype="bfloat16",
    eval_tokens=10_485_760,
)
MORPH_SMALL = dataclasses.replace(
    MORPH, batch_size=512, optimizer=dataclasses.replace(MORPH.optimizer, warmup_steps=2000)
)
PANDA = dataclasses.replace(
    MORPH,
    corpus=dataclasses.replace(MORPH.corpus, directory="runs/corpus-dolma"),
    optimizer=dataclasses.replace(MORPH.optimizer, weight_decay=0.1, warmup_steps=500),
)
MORPH_TOKENS = 28_991_029_248
PANDA_TOKENS = 100_000_000_000
MORPHS = ("morph-1b", "morph-1b-v1", "morph-1b-v2")
PANDAS = ("panda-1b", "surefire-1b", "llama-3.2-1b", "panda-3b", "panda-3b-circ", "surefire-3b", "llama-3.2-3b")


def get_config(name: str = "morph-1b"):
    architecture, n_tokens, recipe = published(name)
    runtime = RuntimeConfig(
        mesh=MeshConfig(fsdp=8), remat="full", accumulation=8, price=PriceConfig(device="h100-sxm", mfu=0.4)
    )
    run = TrainConfig(architecture=architecture, n_tokens=n_tokens, recipe=recipe, runtime=runtime)
    return to_config_dict(run, "train")


def published(name: str) -> tuple[Architecture, int, RecipeConfig]:
    """Shape, tokens and recipe of a published run.

    Raises:
      LookupError: no such run. (A ValueError would reach the user as a traceback in the message of the flag's parser.)
    """
    if name in MORPHS:
        return lookup.resolve(name), MORPH_TOKENS, MORPH
    if name in PANDAS:
        return lookup.resolve(name), PANDA_TOKENS, PANDA
    with TABLE.open(encoding="utf-8", newline="") as stream:
        rows = {row["run_id"]: row for row in csv.DictReader(stream)}
    if name not in rows:
        known = f"{', '.join(MORPHS + PANDAS)}, or a run_id of data/{TABLE.name} such as {next(iter(rows))}"
        raise LookupError(f"configs/papers.py:{name}: unknown name; must be one of {known}")
    row, recipe = rows[name], MORPH if name.startswith("1B") else MORPH_SMALL
    shape = Architecture.from_fields({field: int(row[field]) for field in SHAPE_FIELDS})
    return shape, int(row["n_tokens"]), recipe
