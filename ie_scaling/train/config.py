"""What a training run may set, with defaults and rules (no JAX here)."""

import dataclasses
import enum

from ie_scaling.architecture import Architecture
from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.running.config import at_least, one_of, positive, require, seeded, within
from ie_scaling.shapes import lookup
from ie_scaling.train.rules import MAX_INT, MAX_TOKENS, require_run_id, require_whole
from ie_scaling.train.runtime_config import RuntimeConfig

DTYPES = ("float32", "bfloat16")
SMALL = Architecture(d_model=128, n_layers=4, n_heads=4, n_kv_heads=2, d_head=32, d_ff=384, vocab_size=1024)


class Schedule(enum.StrEnum):
    """How the learning rate goes on after its warm-up."""

    COSINE = enum.auto()
    WSD = enum.auto()
    CONSTANT = enum.auto()


class Transfer(enum.StrEnum):
    """How the learning rate depends on the shape."""

    CONSTANT = enum.auto()
    COMPLETEP = enum.auto()


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """AdamW with a schedule, clipping and z-loss; defaults after arXiv 2501.18107.

    The warm-up is a fraction of the run, so that short and long runs are warmed alike, unless `warmup_steps` says
    otherwise. After it, "cosine" falls to `final_fraction` of the peak over the rest; "wsd" stays at the peak and falls
    linearly over the last `decay_fraction` of the run; "constant" stays.

    `transfer` says how the rate depends on the shape: "constant" gives all shapes `learning_rate`; "completep" takes it
    as tuned for the shape `base` (an Architecture's name) and carries it to other widths and depths
    (`train.transfer`).
    """

    learning_rate: float = 3e-3
    schedule: str = Schedule.COSINE.value
    final_fraction: float = 0.01
    warmup_fraction: float = 0.1
    warmup_steps: int | None = None
    decay_fraction: float = 0.2
    beta1: float = 0.9
    beta2: float = 0.95
    epsilon: float = 1e-8
    weight_decay: float = 0.033
    clip_norm: float = 1.0
    z_loss: float = 1e-4
    transfer: str = Transfer.CONSTANT.value
    base: str = ""

    def __post_init__(self) -> None:
        positive(self, "learning_rate", "clip_norm", "epsilon")
        one_of(self, "schedule", Schedule)
        within(self, 0, 1, "final_fraction", "warmup_fraction", "decay_fraction")
        for field in ("beta1", "beta2"):  # at 1 Adam's bias correction divides by zero
            require(0 <= getattr(self, field) < 1, field, getattr(self, field), "must lie between 0 and 1, below 1")
        at_least(self, 0, "weight_decay", "z_loss")
        if self.warmup_steps is not None:
            require_whole(self, ("warmup_steps",), 0)
        one_of(self, "transfer", Transfer)
        if self.transfer != Transfer.CONSTANT:
            require(bool(self.base), "base", self.base, "must name the shape at which learning_rate was tuned")
            lookup.resolve(self.base)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecipeConfig:
    """What runs of one sweep share and what decides their losses: text, batches, optimizer.

    `mixture` adds corpora to train on, each a "DIRECTORY@WEIGHT" that prepare_data made with the same tokenizer;
    `corpus` itself has the weight `corpus_weight` and alone gives the validation text. `document_mask` keeps attention
    inside each document.
    """

    corpus: CorpusConfig = CorpusConfig()
    mixture: tuple[str, ...] = ()
    corpus_weight: float = 1.0
    sequence_length: int = 128
    batch_size: int = 16
    document_mask: bool = False
    optimizer: OptimizerConfig = OptimizerConfig()
    dtype: str = "float32"
    eval_tokens: int = 131_072
    source: str = "ie_scaling"

    def __post_init__(self) -> None:
        one_of(self, "dtype", DTYPES)
        positive(self, "corpus_weight")
        require_whole(self, ("sequence_length", "batch_size"), 1)
        require_whole(self, ("eval_tokens",), 1, MAX_TOKENS)
        _ = self.mixture_weights

    @property
    def mixture_weights(self) -> dict[str, float]:
        """Directory -> weight of each corpus trained on, `corpus` first."""
        weights = {self.corpus.directory: self.corpus_weight}
        for entry in self.mixture:
            directory, _, weight = entry.rpartition("@")
            try:
                weights[directory] = float(weight)
            except ValueError:
                weights[directory] = -1.0
            valid = directory and 0 < weights[directory] < float("inf")
            require(bool(valid), "mixture", entry, "must be DIRECTORY@WEIGHT with a weight above zero")
        require(len(weights) == len(self.mixture) + 1, "mixture", self.mixture, "names a directory twice")
        return weights

    @property
    def tokens_per_step(self) -> int:
        """Tokens of one optimizer step."""
        return self.batch_size * self.sequence_length


def check_batch(recipe: RecipeConfig, runtime: RuntimeConfig) -> None:
    """Raise an InputError unless the batch divides among devices and accumulation steps."""
    parts = runtime.mesh.batch_shards * runtime.accumulation
    rule = f"must divide by mesh.data·mesh.fsdp·accumulation = {parts}"
    require(recipe.batch_size % parts == 0, "recipe.batch_size", recipe.batch_size, rule)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One training run. n_tokens is rounded down to whole steps; the run table records what was trained on.

    `variant` tells runs apart that differ in nothing else that their run_id shows.
    """

    architecture: Architecture = dataclasses.field(default=SMALL, metadata={"from_text": lookup.resolve})
    n_tokens: int = dataclasses.field(default=500_000, metadata={"tokens_of": "architecture"})
    seed: int = 0
    variant: str = ""
    recipe: RecipeConfig = RecipeConfig()
    runtime: RuntimeConfig = RuntimeConfig()

    def __post_init__(self) -> None:
        minimum = self.recipe.tokens_per_step
        require_whole(self, ("n_tokens",), 0, MAX_TOKENS)
        require(self.n_tokens >= minimum, "n_tokens", self.n_tokens, f"must be at least one step's {minimum} tokens")
        rule = f"must be at most {MAX_INT:,} steps of {minimum:,} tokens"
        require(self.n_steps <= MAX_INT, "n_tokens", self.n_tokens, rule)
        seeded(self)
        require_run_id(self.run_id, "variant", self.variant)
        corpus, vocab = self.recipe.corpus, self.architecture.vocab_size
        if corpus.tokenizer == "bpe":
            rule = f"must be at least the tokenizer's {corpus.vocab_size}"
            require(vocab >= corpus.vocab_size, "architecture.vocab_size", vocab, rule)
        check_batch(self.recipe, self.runtime)

    @property
    def shape_specs(self) -> tuple[str, ...]:
        """The public models that have this shape: a configuration does not store the name."""
        return tuple(lookup.names_of(self.architecture))

    @property
    def n_steps(self) -> int:
        """Optimizer steps of the run."""
        return self.n_tokens // self.recipe.tokens_per_step

    @property
    def n_trained_tokens(self) -> int:
        """n_tokens in whole steps: what the run table records."""
        return self.n_steps * self.recipe.tokens_per_step

    @property
    def run_id(self) -> str:
        """Unique among the runs of one sweep: shape, tokens, seed, and what was overridden."""
        return f"{self.architecture.name}@{self.n_trained_tokens}-s{self.seed}" + self.variant
