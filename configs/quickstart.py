"""The whole story on two CPU cores, on the source text of the Python standard library.

python run.py --config=configs/quickstart.py            (or: make quickstart)

Cost: about five minutes. Expect a recommendation among six shapes of about 0.45M parameters, from sixteen runs of
0.14M to 0.34M; report.html with figures; and three shapes trained to see whether it was right. Losses (about 3.3 to 4
nats per token) lie well below the unigram entropy of the text (5.2). Interrupted, it goes on when started again.
"""

from experiments import select, time_decode
from experiments.quickstart import Config
from ie_scaling.corpus.config import CorpusConfig
from ie_scaling.running.config import to_config_dict
from ie_scaling.train.config import OptimizerConfig, RecipeConfig

VOCAB = 512
TOKENS = (60_000, 120_000)
SMALL = ((32, 8), (64, 2), (96, 1))  # (d_model, n_layers), about equal in non-embedding parameters
LARGE = ((64, 4), (96, 2), (128, 1))
CANDIDATES = ((64, 6), (80, 4), (80, 5), (96, 3), (112, 2), (160, 1))


def name(d_model: int, n_layers: int) -> str:
    """A shape in the proportions of the study: heads of 16, as many key-value heads, MLP three times the width."""
    heads = d_model // 16
    return f"d{d_model}-n{n_layers}-h{heads}-k{heads}-c16-f{3 * d_model}-v{VOCAB}"


def get_config():
    runs = [f"{name(*shape)}@{tokens}" for tokens in TOKENS for shape in (*SMALL, *LARGE)]
    runs += [f"{name(*SMALL[1])}@{TOKENS[0]}-s{seed}" for seed in (1, 2)]  # seed noise
    runs += [f"{name(*shape)}@{2 * TOKENS[1]}" for shape in SMALL[1:]]  # a third budget: two cannot show a curve in D
    study = Config(
        runs=tuple(runs),
        candidates=tuple(name(*shape) for shape in CANDIDATES),
        candidate_tokens=160_000,
        n_parallel=2,
        recipe=RecipeConfig(
            corpus=CorpusConfig(vocab_size=VOCAB, max_bytes=4_000_000, tokenizer_bytes=1_000_000),
            sequence_length=128,
            batch_size=4,
            optimizer=OptimizerConfig(learning_rate=1e-2),
            eval_tokens=32_768,
        ),
        decode=time_decode.Config(
            prompt_tokens=32, new_tokens=64, max_repeats=200, max_measure_s=1.0, relative_error=0.1
        ),
        select=select.Config(max_latency_ratio=1.8),
    )
    return to_config_dict(study, "quickstart")
