"""The density of timings about the latency law, and what is drawn given the rest, against ones written out by hand."""

import itertools

import jax
import numpy as np
import pandas as pd
import pytest
from numpyro.infer.util import log_density
from scipy import stats

from ie_scaling.inference import numerics
from ie_scaling.latency_law import formula, likelihood, timed_rows
from ie_scaling.latency_law import table as law_table
from tests.latency_law import simulated

CASES = simulated.cases(5, seed=2)
DEVICES = (simulated.device(0), simulated.device(1))
LOG_LAMBDA, ATANH_RHO, LOG_TAU = np.log(0.4), 0.35, np.log(0.07)


def two_devices(sessions=("a", "b")):
    """Nine rows of two devices in two sessions, one of them without a time per output token.

    sessions: of the first device's rows and of the second's.
    """
    rng = np.random.default_rng(0)
    x_PK = simulated.coordinates(rng, 2, 0.3)
    first = simulated.table(CASES, DEVICES[0], x_PK[:, 0], rng).assign(session=sessions[0])
    second = simulated.table(CASES[:4], DEVICES[1], x_PK[:, 1], rng).assign(session=sessions[1])
    frame = pd.concat([first, second], ignore_index=True)
    frame.loc[2, [name for name in frame if name.startswith("tpot_s")]] = np.nan
    return timed_rows.rows_of(law_table.add_columns(frame)), x_PK


def times_by_hand(parameters, device, case, form):
    """TTFT and TPOT in seconds, as the formulas of model.py have them, with powers rather than logs."""
    v, a, load = parameters, case.architecture, case.workload
    size, flops_per_s = 4, device.flops_per_s
    cache = load.batch * load.mean_context * 2 * a.n_layers * a.n_kv_heads * a.d_head * size
    embedding, n_matrices = a.vocab_size * a.d_model, 1 if a.tied_embeddings else 2
    heads = a.d_head * a.d_model * (2 * a.n_heads + 2 * a.n_kv_heads)
    layers = a.n_layers * (heads + 3 * a.d_model * a.d_ff + 2 * a.d_model) + a.d_model
    read = layers + embedding * n_matrices - (0 if a.tied_embeddings else embedding)
    weights = (read + load.batch * a.d_model) * size
    logs = np.log(device.sizes), np.log(device.bytes_per_s)
    shared = np.exp(np.mean(logs[1]))
    bandwidth = shared * (np.exp(np.interp(np.log(weights + cache), *logs)) / shared) ** v["size_trust"]
    p = v["sharpness"]

    def norm(x, y):
        return (x**p + y**p) ** (1 / p)

    by_weights = weights * (1 + v["batch_reread"] * (1 - 1 / load.batch)) / (v["weight_efficiency"] * bandwidth)
    by_cache = cache / (v["cache_efficiency"] * bandwidth)
    matrix = 2 * load.batch * (layers + embedding)
    wide = (np.sqrt(layers / a.n_layers) / 1500) ** v["width_gain"]
    by_matrix = matrix / (v["matrix_efficiency"] * flops_per_s * load.batch ** v["batch_gain"] * wide)
    attended = 4 * a.n_layers * a.n_heads * a.d_head
    by_attention = load.batch * attended * round(load.mean_context) / (v["attention_efficiency"] * flops_per_s)
    tpot_s = v["overhead_s"] * (v["fixed_share"] + (1 - v["fixed_share"]) * a.n_layers / 8)
    tpot_s += v["batch_overhead_s"] * a.n_layers / 8 * (1 - 1 / load.batch)
    tpot_s += v["head_overhead_s"] * a.n_layers * a.n_kv_heads * load.batch
    if form == "serial":
        tpot_s += norm(by_weights, by_matrix) + norm(by_cache, by_attention)
    else:
        tpot_s += norm(by_weights + by_cache, by_matrix + by_attention)
    tokens = load.batch * load.prompt_tokens
    prompt_bytes = (read - embedding + tokens * a.d_model + tokens * 2 * a.n_layers * a.n_kv_heads * a.d_head) * size
    prompt = 2 * tokens * layers / (tokens / 256) ** v["prefill_batch_gain"]
    prompt /= (np.sqrt(layers / a.n_layers) / 1500) ** v["prefill_width_gain"]
    compute = prompt / (v["prefill_matrix_efficiency"] * flops_per_s)
    compute += tokens * attended * (load.prompt_tokens + 1) / 2 / (v["prefill_attention_efficiency"] * flops_per_s)
    ttft_s = v["prefill_overhead_s"] * (v["prefill_fixed_share"] + (1 - v["prefill_fixed_share"]) * a.n_layers / 8)
    ttft_s += v["prefill_head_overhead_s"] * a.n_layers * a.n_heads * tokens
    ttft_s += norm(prompt_bytes / (v["weight_efficiency"] * bandwidth), compute)
    by_logits = embedding * size * (1 + v["batch_reread"] * (1 - 1 / load.batch)) / (v["weight_efficiency"] * bandwidth)
    of_logits = (
        2 * load.batch * embedding / (v["matrix_efficiency"] * flops_per_s * load.batch ** v["batch_gain"] * wide)
    )
    return ttft_s + norm(by_logits, of_logits), tpot_s


def sizes_by_hand(case):
    """What misfits depend on, but for the tokens of TTFT and of TPOT."""
    a, load = case.architecture, case.workload
    sizes = [a.d_model, a.n_layers, a.n_heads * a.d_head, a.n_kv_heads * a.d_head, a.d_ff, a.vocab_size, load.batch]
    return sizes, (load.prompt_tokens, load.mean_context)


def log_prior(x_PK):
    """ln of the priors, each parameter's population mean integrated out on a grid."""
    mu, total = np.linspace(-9, 9, 20_001), stats.norm.logpdf(LOG_LAMBDA, np.log(0.5), 0.5)
    for x_K in x_PK:
        density = stats.norm.pdf(mu) * stats.norm.pdf(x_K[:, None], mu, np.exp(LOG_LAMBDA)).prod(axis=0)
        total += np.log(np.trapezoid(density, mu))
    return total + stats.norm.logpdf(ATANH_RHO, 0, 0.5) + stats.norm.logpdf(LOG_TAU, np.log(0.05), 0.7)


def normal_by_hand(rows, x_PK, form="serial"):
    """Misses, covariance and metric (0 or 1) of every measured log, entry by entry, row by row: TTFT, then TPOT."""
    parameters = formula.constrain(x_PK)
    parameters |= formula.derived(parameters, np.array([device.row_balance for device in rows.devices]))
    measured = []
    for r, case in enumerate(rows.cases):
        v = {name: values[rows.device_R[r]] for name, values in parameters.items()}
        times = times_by_hand(v, rows.devices[rows.device_R[r]], case, form)
        for metric, seen_s in enumerate((rows.ttft_s_R[r], rows.tpot_s_R[r])):
            if np.isfinite(seen_s):
                measured.append((r, metric, np.log(seen_s / times[metric]), v))
    covariance = np.zeros((len(measured),) * 2)
    for (i, (r, metric, _, v)), (j, (s, other, _, _)) in itertools.product(enumerate(measured), repeat=2):
        if metric == other:
            (left, tokens), (right, others) = sizes_by_hand(rows.cases[r]), sizes_by_hand(rows.cases[s])
            apart = np.log([*left, tokens[metric]]) - np.log([*right, others[metric]])
            apart /= [1.5] * 6 + [0.7, 0.6] if metric == 0 else 1.0
            if rows.device_R[r] == rows.device_R[s]:
                covariance[i, j] += v[("ttft_misfit", "tpot_misfit")[metric]] ** 2 * np.exp(-(apart @ apart) / 2)
            if rows.session_R[r] == rows.session_R[s]:
                covariance[i, j] += np.exp(2 * LOG_TAU)
        if r == s:
            scales = [np.hypot(v[name], simulated.MEDIAN_ERROR) for name in ("ttft_noise", "tpot_noise")]
            covariance[i, j] += scales[metric] * scales[other] * (1 if metric == other else np.tanh(ATANH_RHO))
    return np.array([miss for _, _, miss, _ in measured]), covariance, measured


def sites_of(x_PK):
    return {"x": x_PK, "log_lambda": LOG_LAMBDA, "atanh_rho": ATANH_RHO, "log_tau": LOG_TAU}


@pytest.mark.parametrize("form", ["serial", "joint"])
@pytest.mark.parametrize(("sessions", "n_blocks"), [(("a", "b"), 2), ((list("aacca"), list("cbbb")), 1)])
def test_log_density_equals_the_sum_written_out(form, sessions, n_blocks):
    rows, x_PK = two_devices(sessions)
    misses, covariance, _ = normal_by_hand(rows, x_PK, form)
    by_hand = log_prior(x_PK) + stats.multivariate_normal.logpdf(misses, cov=covariance)
    timed = likelihood.pose(rows, form)
    assert len(timed.blocks) == n_blocks
    with jax.enable_x64(True), jax.numpy_rank_promotion("allow"):
        ours = jax.jit(lambda sites: log_density(likelihood.model, (timed,), {}, sites)[0])(sites_of(x_PK))
    assert float(ours) == pytest.approx(by_hand, rel=1e-9)


def test_its_derivative_is_that_of_differences():
    rows, x_PK = two_devices()
    timed = likelihood.pose(rows, "serial")
    with numerics.double_precision(), jax.numpy_rank_promotion("allow"):
        density = jax.jit(lambda *arguments: likelihood.log_density(timed, *arguments))
        slopes = jax.grad(density, argnums=(0, 1, 2))(x_PK, ATANH_RHO, LOG_TAU)
        for place in np.ndindex(x_PK.shape):
            step = np.zeros(x_PK.shape)
            step[place] = 1e-5
            rise = density(x_PK + step, ATANH_RHO, LOG_TAU) - density(x_PK - step, ATANH_RHO, LOG_TAU)
            assert float(slopes[0][place]) == pytest.approx(float(rise) / 2e-5, rel=1e-5, abs=1e-5)
        rise = density(x_PK, ATANH_RHO + 1e-5, LOG_TAU) - density(x_PK, ATANH_RHO - 1e-5, LOG_TAU)
        assert float(slopes[1]) == pytest.approx(float(rise) / 2e-5, rel=1e-5)
        rise = density(x_PK, ATANH_RHO, LOG_TAU + 1e-5) - density(x_PK, ATANH_RHO, LOG_TAU - 1e-5)
        assert float(slopes[2]) == pytest.approx(float(rise) / 2e-5, rel=1e-5)


@pytest.fixture(scope="module")
def drawn():
    """Rows, their normal by hand, and 20,000 draws of what is integrated out."""
    rows, x_PK = two_devices()
    timed = likelihood.pose(rows, "serial")
    with numerics.double_precision(), jax.numpy_rank_promotion("allow"):
        keys = jax.random.split(jax.random.key(0), 20_000)
        rest = jax.jit(jax.vmap(lambda key: likelihood.draw_rest(timed, key, sites_of(x_PK))))(keys)
        rest = jax.tree.map(np.array, rest)
    return timed, formula.constrain(x_PK), normal_by_hand(rows, x_PK), rest


def test_each_row_given_all_others(drawn):
    """ln p(all) − ln p(all but this row)."""
    timed, _, (misses, covariance, measured), rest = drawn
    places = np.array([r for r, *_ in measured])
    whole = stats.multivariate_normal.logpdf(misses, cov=covariance)
    for row in range(len(timed.rows)):
        kept = places != row
        others = stats.multivariate_normal.logpdf(misses[kept], cov=covariance[np.ix_(kept, kept)])
        assert rest["log_density_R"][0, row] == pytest.approx(whole - others, rel=1e-8)


def test_sessions_and_misfits_have_the_moments_of_their_conditionals(drawn):
    timed, parameters, (misses, covariance, measured), rest = drawn
    inverse = np.linalg.inv(covariance)
    for metric, name in enumerate(("ttft_misfit", "tpot_misfit")):
        amplitude_R = parameters[name][timed.rows.device_R]
        own = amplitude_R[:, None] * timed.correlation_2RR[metric] * amplitude_R
        across = np.array([own[:, r] * (other == metric) for r, other, *_ in measured]).T
        found = amplitude_R * (rest["weights_2R"][:, metric] @ timed.correlation_2RR[metric])
        spread = np.sqrt(np.diag(own - across @ inverse @ across.T))
        np.testing.assert_allclose(found.mean(0), across @ inverse @ misses, atol=0.04 * spread.max())
        np.testing.assert_allclose(found.std(0), spread, rtol=0.03)
        tau2 = np.exp(2 * LOG_TAU)
        across = tau2 * np.array([(timed.session_SR[:, r] > 0) * (other == metric) for r, other, *_ in measured]).T
        spread = np.sqrt(tau2 - np.diag(across @ inverse @ across.T))
        effects = rest["u_2S"][:, metric]
        np.testing.assert_allclose(effects.mean(0), across @ inverse @ misses, atol=0.04 * spread.max())
        np.testing.assert_allclose(effects.std(0), spread, rtol=0.03)


def test_one_session_has_no_effect():
    rows, x_PK = two_devices(sessions=("a", "a"))
    timed = likelihood.pose(rows, "serial")
    sites = sites_of(x_PK)
    del sites["log_tau"]
    with numerics.double_precision(), jax.numpy_rank_promotion("allow"):
        rest = likelihood.draw_rest(timed, jax.random.key(0), sites)
        traced = log_density(likelihood.model, (timed,), {}, sites)[1]
    assert set(rest) == {"log_density_R", "weights_2R"}
    assert "log_tau" not in traced
