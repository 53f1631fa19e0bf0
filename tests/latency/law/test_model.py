"""The latency law's density and times against ones written out by hand."""

import jax
import numpy as np
import pandas as pd
import pytest
from numpyro.infer.util import log_density
from scipy import stats

from ie_scaling.latency.law import features as law_features
from ie_scaling.latency.law import model as law_model
from ie_scaling.latency.law import table as law_table
from tests.latency.law import simulated

CASES = simulated.cases(5, seed=2)
DEVICES = (simulated.device(0), simulated.device(1))
LOG_LAMBDA, LOG_TAIL, ATANH_RHO, LOG_TAU = np.log(0.4), np.log(6.0), 0.35, np.log(0.07)
U_2S = np.array([[0.05, -0.02], [-0.01, 0.03]])  # of TTFT, of TPOT


def two_devices():
    """Nine rows of two devices in two sessions, one of them without a time per output token."""
    rng = np.random.default_rng(0)
    x_PK = simulated.coordinates(rng, 2, 0.3)
    first = simulated.table(CASES, DEVICES[0], x_PK[:, 0], rng).assign(session="a")
    second = simulated.table(CASES[:4], DEVICES[1], x_PK[:, 1], rng).assign(session="b")
    frame = pd.concat([first, second], ignore_index=True)
    frame.loc[2, [name for name in frame if name.startswith("tpot_s")]] = np.nan
    return law_table.rows_of(law_table.add_columns(frame)), x_PK


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
    by_matrix = matrix / (v["matrix_efficiency"] * flops_per_s * load.batch ** v["batch_gain"])
    attended = 4 * a.n_layers * a.n_heads * a.d_head
    by_attention = load.batch * attended * round(load.mean_context) / (v["attention_efficiency"] * flops_per_s)
    tpot_s = v["overhead_s"] * (v["fixed_share"] + (1 - v["fixed_share"]) * a.n_layers / 8)
    tpot_s += v["batch_overhead_s"] * a.n_layers / 8 * (1 - 1 / load.batch)
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
    ttft_s += norm(prompt_bytes / (v["weight_efficiency"] * bandwidth), compute)
    by_logits = embedding * size * (1 + v["batch_reread"] * (1 - 1 / load.batch)) / (v["weight_efficiency"] * bandwidth)
    of_logits = 2 * load.batch * embedding / (v["matrix_efficiency"] * flops_per_s * load.batch ** v["batch_gain"])
    return ttft_s + norm(by_logits, of_logits), tpot_s


def log_prior(x_PK):
    """ln of the priors, each parameter's population mean integrated out on a grid."""
    mu, total = np.linspace(-9, 9, 20_001), stats.norm.logpdf(LOG_LAMBDA, np.log(0.5), 0.5)
    for x_K in x_PK:
        density = stats.norm.pdf(mu) * stats.norm.pdf(x_K[:, None], mu, np.exp(LOG_LAMBDA)).prod(axis=0)
        total += np.log(np.trapezoid(density, mu))
    total += stats.norm.logpdf(LOG_TAIL, np.log(8), 1) + stats.norm.logpdf(ATANH_RHO, 0, 0.5)
    return total + stats.norm.logpdf(LOG_TAU, np.log(0.05), 0.7) + stats.norm.logpdf(U_2S, 0, np.exp(LOG_TAU)).sum()


@pytest.mark.parametrize("form", ["serial", "joint"])
def test_log_density_equals_the_sum_written_out(form):
    rows, x_PK = two_devices()
    by_hand, rho, nu = log_prior(x_PK), np.tanh(ATANH_RHO), 2 + np.exp(LOG_TAIL)
    parameters = law_model.constrain(x_PK)
    parameters |= law_model.derived(parameters, np.array([device.row_balance for device in rows.devices]))
    for r, case in enumerate(rows.cases):
        k = rows.device_R[r]
        v = {name: values[k] for name, values in parameters.items()}
        ttft_s, tpot_s = times_by_hand(v, rows.devices[k], case, form)
        error = simulated.MEDIAN_ERROR
        scales = np.sqrt(np.array([v["ttft_noise"], v["tpot_noise"]]) ** 2 + error**2)
        miss = np.log([rows.ttft_s_R[r] / ttft_s, rows.tpot_s_R[r] / tpot_s]) - U_2S[:, k]
        if np.isnan(rows.tpot_s_R[r]):
            by_hand += stats.t.logpdf(miss[0], nu, scale=scales[0])
        else:
            shape = np.diag(scales) @ np.array([[1, rho], [rho, 1]]) @ np.diag(scales)
            by_hand += stats.multivariate_t.logpdf(miss, shape=shape, df=nu)
    sites = {"x": x_PK, "log_lambda": LOG_LAMBDA, "log_tail": LOG_TAIL, "atanh_rho": ATANH_RHO}
    sites |= {"log_tau": LOG_TAU, "u": U_2S}
    with jax.enable_x64(True), jax.numpy_rank_promotion("allow"):
        ours = jax.jit(lambda sites: log_density(law_model.model, (rows, form), {}, sites)[0])(sites)
    assert float(ours) == pytest.approx(by_hand, rel=1e-9)


@pytest.mark.parametrize("p", [1.0, 2.0, 7.0, 300.0])
def test_the_norm_goes_from_the_sum_to_the_larger(p):
    a, b = np.array([1e-9, 3.0, 2e3]), np.array([5.0, 4.0, 1e-7])
    norm = np.exp(law_model.log_norm(np.log(a), np.log(b), p))
    if p == 2:
        np.testing.assert_allclose(norm, np.hypot(a, b))
    np.testing.assert_allclose(norm, a + b if p == 1 else np.maximum(a, b), rtol=1e-12 if p in (1, 300) else 0.3)
    assert (norm >= np.maximum(a, b) * (1 - 1e-12)).all()
    assert (norm <= (a + b) * (1 + 1e-12)).all()


def test_coordinates_and_parameters_are_inverse():
    x_PW = law_model.draw_prior(np.random.default_rng(1), 50, 1)[..., 0]
    again = law_model.free_from(law_model.constrain(x_PW))
    for name, z_W in law_model.free_of(x_PW).items():
        np.testing.assert_allclose(again[name], z_W, rtol=1e-6, atol=1e-9)


def test_overheads_are_those_of_a_step_and_of_each_layer():
    """With the depth alone raised, a step takes ε_layer longer a layer, and at no layers ε_step remains."""
    x_PK = simulated.coordinates(np.random.default_rng(3), 1, 0.3)
    features = law_features.features_of(CASES[:1], DEVICES[:1])
    layered = [law_features.Features(**(vars(features) | {"n_layers": np.array([float(n)])})) for n in (0, 5, 6)]
    z, found = law_model.free_of(x_PK), law_model.derived(law_model.constrain(x_PK), np.ones(1))
    none, five, six = (np.exp(law_model.log_step_s(z, each, "serial")) for each in layered)
    assert six - five == pytest.approx(found["layer_overhead_s"])
    free = law_model.free_of(x_PK) | {"fixed_share": np.array([-60.0])}  # the layers' alone
    assert none - np.exp(law_model.log_step_s(free, layered[0], "serial")) == pytest.approx(found["step_overhead_s"])
    first, second = (np.exp(law_model.log_prefill_s(z, each)) for each in layered[1:])
    assert second - first == pytest.approx(found["prefill_layer_overhead_s"])


def test_a_step_and_a_ratio_are_the_efficiencies():
    """A row that is multiplied while its weights are read takes the bytes over the ceiling and `step_efficiency`."""
    v = law_model.constrain(simulated.coordinates(np.random.default_rng(3), 2, 0.3))
    balance_K = np.array([device.row_balance for device in DEVICES])
    np.testing.assert_allclose(balance_K, [0.5 * device.typical_bandwidth / device.flops_per_s for device in DEVICES])
    found, p = law_model.derived(v, balance_K), v["sharpness"]
    np.testing.assert_allclose(found["weight_efficiency"] / found["matrix_efficiency"], v["efficiency_ratio"])
    reading, multiplying = 1 / found["weight_efficiency"], balance_K / found["matrix_efficiency"]
    np.testing.assert_allclose((reading**p + multiplying**p) ** (1 / p), 1 / v["step_efficiency"])


def test_draws_of_the_prior_share_a_population():
    """Across devices x has variance 1 + λ² and covariance 1, given λ; with λ about ½."""
    x_PWK = law_model.draw_prior(np.random.default_rng(2), 20_000, 2)
    covariance = np.mean([np.cov(x_WK.T) for x_WK in x_PWK], axis=0)
    lambda_squared = np.exp(2 * np.log(0.5) + 2 * 0.5**2)
    np.testing.assert_allclose(covariance, np.full((2, 2), 1.0) + lambda_squared * np.eye(2), rtol=0.02)
