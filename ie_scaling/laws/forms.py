"""The loss laws: each a short frozen object that least squares and NumPyro read alike.

A law is a sum of terms times a product of shape factors,

    L(x; θ) = Σ_t term_t(x; θ) · Π_s factor_s(x; θ),

with N counted as N(ω) = N_non + ω·N_emb: `total` (ω = 1), `non_embedding` (ω = 0) or `effective` (ω free in [0, 1]).
Coefficients are the loss contributions at the reference point, such as A_ref = A·N0^−α: what the data determine best,
and what priors can be stated about. Raw A, B, ε are derived from them. A new law is an entry of LAWS.
C(N, D) = E + A·N^−α + B·D^−β; R = d/n; x = d/√N_non; r = MLP/attention parameters; g = n_heads/n_kv_heads.

Chinchilla with α = β is also the over-training law of Gadre et al. [G24], E + a'·N^b + b'·6^(b/2)·(M·N)^b with
M = D/N: b = −α, a' = A, b' = B·6^(α/2). L_opt is the smallest loss observed at that budget (`observations`): a law that
reads it has seen a loss at the very (N, D) that it predicts. References by tag are in docs/laws.md.
"""

import dataclasses

from ie_scaling.errors import InputError
from ie_scaling.laws.choices import COUNTS
from ie_scaling.laws.law import Law, Term, Tie
from ie_scaling.laws.terms import (
    COUPLED_TERM,
    D_TERM,
    DEPTH_TERM,
    E_TERM,
    INTERIOR_FACTOR,
    MLP_ATTENTION_FACTOR,
    MLP_CURVE_FACTOR,
    MLP_CURVE_TERM,
    MONOTONE_FACTOR,
    MOVING_WITH_D_FACTOR,
    MOVING_WITH_N_FACTOR,
    N_TERM,
    OPTIMAL_LOSS,
    QUERY_GROUP_FACTOR,
    RELATIVE_WIDTH_FACTOR,
    WIDTH_CURVE_FACTOR,
    WIDTH_CURVE_TERM,
    WIDTH_TERM,
)

FREE = Tie("free")
ALPHA_BETA = Tie("alpha=beta", (("beta", "alpha"),))
ALL_TIED = Tie("alpha=beta=gamma", (("beta", "alpha"), ("gamma", "alpha")))
CORE = (E_TERM, N_TERM, D_TERM)


KAPLAN = "Kaplan et al. 2020, arXiv 2001.08361, eq. 1.5"
HOFFMANN = "Hoffmann et al. 2022, arXiv 2203.15556"
BIAN = "Bian et al. 2025, arXiv 2501.18107, eq. 4"
CONDITIONAL = "Bian et al. 2025, arXiv 2510.18245, eq. 3"
GEMSTONES = "McLeish et al. 2025, arXiv 2502.06857"
OURS = "this project"


def _law(
    name: str,
    terms: tuple[Term, ...],
    factors: tuple[Term, ...],
    ties: tuple[Tie, ...],
    count: str,
    formula: str,
    citation: str,
) -> Law:
    """A law whose first tie is its default."""
    return Law(name, formula, citation, terms, factors, ties, ties[0].name, count)


SPLIT = (FREE, ALPHA_BETA)
LAWS = {
    law.name: law
    for law in (
        _law("chinchilla", CORE, (), SPLIT, "total", "C(N, D)", HOFFMANN),
        _law(
            "aspect_ratio",
            CORE,
            (MONOTONE_FACTOR,),
            (ALL_TIED, ALPHA_BETA, FREE),
            "total",
            "C(N, D)·(1 + ε·R^γ)",
            BIAN,
        ),
        _law("effective", CORE, (INTERIOR_FACTOR,), SPLIT, "effective", "C(N, D)·(1 + κ·ln(R/R*)²)", OURS),
        _law(  # the optimum moves with size
            "effective_moving_N",
            CORE,
            (MOVING_WITH_N_FACTOR,),
            SPLIT,
            "effective",
            "C(N, D)·(1 + κ·(ln(R/R*) − s_N·2·tanh(ln(N/N0)/2))²)",
            OURS,
        ),
        _law(  # the optimum moves with tokens
            "effective_moving_D",
            CORE,
            (MOVING_WITH_D_FACTOR,),
            SPLIT,
            "effective",
            "C(N, D)·(1 + κ·(ln(R/R*) − s_D·2·tanh(ln(D/D0)/2))²)",
            OURS,
        ),
        _law(
            "effective_gqa",
            CORE,
            (INTERIOR_FACTOR, QUERY_GROUP_FACTOR),
            SPLIT,
            "effective",
            "C(N, D)·(1 + κ·ln(R/R*)²)·(1 + η·ln g)",
            OURS,
        ),
        _law(
            "conditional",
            CORE,
            (RELATIVE_WIDTH_FACTOR, MLP_ATTENTION_FACTOR),
            SPLIT,
            "non_embedding",
            "C(N, D)·u(x; k_x, x*)·u(r; k_r, r*), u(z; k, z*) = 1 + k·(ln(z/z*) + z*/z − 1)",
            f"{CONDITIONAL}, made identifiable",
        ),
        _law(
            "conditional_published",
            (OPTIMAL_LOSS,),
            (WIDTH_CURVE_FACTOR, MLP_CURVE_FACTOR),
            (FREE,),
            "non_embedding",
            "(a0 + a1·ln x + a2/x)·(b0 + b1·ln r + b2/r)·L_opt",
            CONDITIONAL,
        ),
        _law(
            "conditional_published_additive",
            (OPTIMAL_LOSS, WIDTH_CURVE_TERM, MLP_CURVE_TERM),
            (),
            (FREE,),
            "non_embedding",
            "(a0 + a1·ln x + a2/x) + (b1·ln r + b2/r) + L_opt",
            CONDITIONAL,
        ),
        _law(
            "width_depth",
            (*CORE, WIDTH_TERM, DEPTH_TERM),
            (),
            SPLIT,
            "total",
            "C(N, D) + A_d·d^−a + A_n·n^−b",
            GEMSTONES,
        ),
    )
}


def _coupled(law: Law) -> Law:
    """The same law with its powers of N and of D coupled: the scarcer of parameters and tokens counts for more."""
    name = "coupled" if law.name == "chinchilla" else f"coupled_{law.name}"
    source = f"{KAPLAN}; {law.citation}" if law.citation != OURS else KAPLAN
    return dataclasses.replace(
        law,
        name=name,
        terms=(E_TERM, COUPLED_TERM, *law.terms[len(CORE) :]),
        formula=law.formula.replace("C(N, D)", "C_h(N, D)"),
        citation=f"{source}, coupled",
    )


LAWS |= {law.name: law for law in [_coupled(law) for law in LAWS.values() if law.terms[: len(CORE)] == CORE]}


def get_law(name: str, tie: str = "", count: str = "") -> Law:
    """The law of this name; empty `tie` and `count` mean its own defaults.

    Raises:
      InputError: an unknown law, tie or count; the valid ones are listed.
    """
    if name not in LAWS:
        raise InputError(f"law={name!r}: must be one of {', '.join(LAWS)}")
    law = LAWS[name]
    ties = [option.name for option in law.ties]
    if tie and tie not in ties:
        raise InputError(f"tie={tie!r}: law {name!r} has {', '.join(ties)}")
    if count and count not in COUNTS:
        raise InputError(f"count={count!r}: must be one of {', '.join(COUNTS)}")
    return dataclasses.replace(law, tie=tie or law.tie, count=count or law.count)


def parse(text: str) -> Law:
    """The law that NAME, NAME:TIE or NAME:TIE:COUNT names.

    Raises:
      InputError: another form, or an unknown law, tie or count.
    """
    if text.count(":") > 2:
        raise InputError(f"laws={text!r}: must be NAME, NAME:TIE or NAME:TIE:COUNT")
    return get_law(*text.split(":"))
