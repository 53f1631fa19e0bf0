"""What a training run, its corpus and a sweep of runs may set, with defaults and rules (no JAX here)."""

import dataclasses

from ie_scaling.architecture import Architecture

CPU_FLOPS_PER_S = 3e10  # what decoders of about a million parameters reach on two CPU cores, for rough estimates
DTYPES = ("float32", "bfloat16")
SMALL = Architecture(d_model=128, n_layers=4, n_heads=4, n_kv_heads=2, d_head=32, d_ff=384, vocab_size=1024)


def require(condition: bool, field: str, value: object, rule: str) -> None:
    """Raise the one-line ValueError of a broken rule."""
    if not condition:
        raise ValueError(f"{field}={value!r}: {rule}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class CorpusConfig:
    """A text corpus, the byte-pair tokenizer trained on it, and where its token arrays lie.

    `text` is "stdlib" (the source of the running Python's standard library), a folder of text files, or a .jsonl or
    .jsonl.gz file whose objects have a "text" field. Documents go to validation by a hash of their path.
    """

    text: str = "stdlib"
    directory: str = "runs/corpus"
    vocab_size: int = 1024
    validation_fraction: float = 0.1
    tokenizer_bytes: int = 3_000_000
    max_bytes: int = 20_000_000

    def __post_init__(self) -> None:
        require(257 <= self.vocab_size <= 2**31, "vocab_size", self.vocab_size, "must be at least 257 (bytes and end)")
        fraction = self.validation_fraction
        require(0 < fraction < 1, "validation_fraction", fraction, "must lie between 0 and 1")
        for field in ("tokenizer_bytes", "max_bytes"):
            require(getattr(self, field) > 0, field, getattr(self, field), "must be above zero")


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """AdamW with warm-up, cosine decay, clipping and z-loss; defaults after [B25] (papers.md §1.5).

    The warm-up is a fraction of the run, so that short and long runs are warmed alike.
    """

    learning_rate: float = 3e-3
    final_fraction: float = 0.01
    warmup_fraction: float = 0.1
    beta1: float = 0.9
    beta2: float = 0.95
    epsilon: float = 1e-8
    weight_decay: float = 0.033
    clip_norm: float = 1.0
    z_loss: float = 1e-4

    def __post_init__(self) -> None:
        require(self.learning_rate > 0, "learning_rate", self.learning_rate, "must be above zero")
        require(self.clip_norm > 0, "clip_norm", self.clip_norm, "must be above zero")
        for field in ("final_fraction", "warmup_fraction", "beta1", "beta2"):
            require(0 <= getattr(self, field) <= 1, field, getattr(self, field), "must lie between 0 and 1")
        for field in ("weight_decay", "z_loss"):
            require(getattr(self, field) >= 0, field, getattr(self, field), "must not be negative")


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeshConfig:
    """Devices along each mesh axis: batches split over data and fsdp, weights over fsdp and tensor."""

    data: int = 1
    fsdp: int = 1
    tensor: int = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecipeConfig:
    """All that runs of one sweep share: everything but architecture, tokens and seed."""

    corpus: CorpusConfig = CorpusConfig()
    sequence_length: int = 128
    batch_size: int = 16
    optimizer: OptimizerConfig = OptimizerConfig()
    dtype: str = "float32"
    mesh: MeshConfig = MeshConfig()
    remat: bool = False
    eval_tokens: int = 131_072
    log_every_steps: int = 10
    checkpoint_every_s: float = 60.0
    keep_checkpoints: int = 2
    source: str = "ie_scaling"

    def __post_init__(self) -> None:
        require(self.dtype in DTYPES, "dtype", self.dtype, f"must be one of {', '.join(DTYPES)}")
        for field in ("sequence_length", "batch_size", "eval_tokens", "log_every_steps", "keep_checkpoints"):
            require(getattr(self, field) >= 1, field, getattr(self, field), "must be at least 1")
        shards = self.mesh.data * self.mesh.fsdp
        even = shards >= 1 and self.batch_size % shards == 0
        require(even, "batch_size", self.batch_size, f"must divide by mesh.data·mesh.fsdp = {shards}")

    @property
    def tokens_per_step(self) -> int:
        """Tokens of one optimiser step."""
        return self.batch_size * self.sequence_length


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One training run. n_tokens is rounded down to whole steps; the run table records what was trained on."""

    architecture: Architecture = SMALL
    n_tokens: int = 500_000
    seed: int = 0
    recipe: RecipeConfig = RecipeConfig()

    def __post_init__(self) -> None:
        minimum = self.recipe.tokens_per_step
        require(self.n_tokens >= minimum, "n_tokens", self.n_tokens, f"must be at least one step's {minimum} tokens")
        vocab, corpus = self.architecture.vocab_size, self.recipe.corpus.vocab_size
        require(vocab >= corpus, "architecture.vocab_size", vocab, f"must be at least the tokenizer's {corpus}")

    @property
    def n_steps(self) -> int:
        """Optimiser steps of the run."""
        return self.n_tokens // self.recipe.tokens_per_step

    @property
    def n_trained_tokens(self) -> int:
        """n_tokens in whole steps: what the run table records."""
        return self.n_steps * self.recipe.tokens_per_step

    @property
    def run_id(self) -> str:
        """Unique among runs of one recipe: shape, tokens, seed."""
        return f"{self.architecture.name}@{self.n_trained_tokens}-s{self.seed}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class SweepConfig:
    """A list of runs over one recipe.

    `runs` holds "ARCHITECTURE@TOKENS" or "ARCHITECTURE@TOKENS-sSEED", an architecture by its name such as
    d128-n4-h4-k2-c32-f384-v1024. `n_parallel` runs go on at once: two small ones keep both cores of a CPU busy.
    """

    runs: tuple[str, ...] = ()
    n_parallel: int = 1
    recipe: RecipeConfig = RecipeConfig()

    def __post_init__(self) -> None:
        require(bool(self.runs), "runs", self.runs, "must name at least one run")
        require(self.n_parallel >= 1, "n_parallel", self.n_parallel, "must be at least 1")
        ids = [plan.run_id for plan in self.plans]
        for run, run_id in zip(self.runs, ids, strict=True):
            require(ids.count(run_id) == 1, "runs", run, "is listed twice")

    @property
    def plans(self) -> tuple[TrainConfig, ...]:
        """Each run's own configuration, in the order given."""
        return tuple(self._plan(run) for run in self.runs)

    def _plan(self, run: str) -> TrainConfig:
        name, _, rest = run.partition("@")
        tokens, _, seed = rest.partition("-s")
        if not tokens.isdecimal() or not (seed or "0").isdecimal():
            raise ValueError(f"runs={run!r}: expected ARCHITECTURE@TOKENS or ARCHITECTURE@TOKENS-sSEED")
        architecture = Architecture.parse(name)
        return TrainConfig(architecture=architecture, n_tokens=int(tokens), seed=int(seed or 0), recipe=self.recipe)
