"""From a fit and a latency table or law on disk to candidates.csv, and bad input before anything is written."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from experiments import select
from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.latency_law import formula
from ie_scaling.latency_law import posterior as latency_law
from ie_scaling.latency_law.config import RequestConfig, RooflineForm
from ie_scaling.latency_law.features import FittedDevice
from ie_scaling.latency_law.misfit import Misfit
from ie_scaling.laws import forms
from ie_scaling.laws.bayes import posterior
from ie_scaling.laws.observations import Reference
from ie_scaling.running import diagnostic, files, runner
from ie_scaling.running.diagnostic import Diagnostic, Kind
from ie_scaling.search import candidates, selection
from ie_scaling.search.config import GridConfig
from ie_scaling.tables import cells, latency_table
from ie_scaling.workload import Case, Workload
from tests.latency_law import small_posterior

SHAPES = [
    Architecture(d_model=d, n_layers=n, n_heads=4, n_kv_heads=2, d_head=16, d_ff=3 * d, vocab_size=512)
    for d, n in ((64, 12), (96, 5), (128, 3), (192, 1))
]
SECONDS = {SHAPES[0].name: 0.9, SHAPES[1].name: 0.4, SHAPES[2].name: 0.3, SHAPES[3].name: 0.1}


def run(config, directory):
    """The warnings."""
    return diagnostic.lines(runner.run(select, config, directory))


@pytest.fixture
def inputs(tmp_path):
    """A posterior whose interior optimum lies at R = 40, and a latency table."""
    rng = np.random.default_rng(0)
    means = {"E": 1.5, "A_ref": 0.5, "alpha": 0.4, "B_ref": 0.5, "beta": 0.4, "kappa": 0.02, "R_star": 40.0}
    draws = {name: value * np.exp(0.02 * rng.normal(size=(2, 300))) for name, value in means.items()}
    draws |= {"omega": np.full((2, 300), 0.3), "tau": np.full((2, 300), 0.002), "sigma": np.full((2, 300), 0.002)}
    reference = Reference(N0=3e5, D0=1e6, R0=30, d0=96, n0=4, r0=1.5, x0=0.2, g0=2, L0=3.0, L_min=2.5)
    posterior.Posterior(
        law=forms.get_law("effective"),
        reference=reference,
        draws=draws
        | {"nu": np.full((2, 300), 10.0), "sigma_fall_N": np.zeros((2, 300)), "sigma_fall_D": np.zeros((2, 300))},
        effects_CSM=np.zeros((2, 300, 1)),
        model_ids=("m",),
        failures=("R-hat 1.2 of E is above 1.01",),
    ).save(tmp_path / "fit" / "posterior.nc")
    rows = []
    for shape in SHAPES:
        measured = {"device_kind": "cpu", "n_devices": 1, "dtype": "float32", "batch": 1, "prompt_tokens": 8}
        measured |= {"new_tokens": 8, "mode": "loop", "compile_s": 1.0, "count": 20, "floor_s": 0.01}
        seconds = SECONDS[shape.name]
        timed = {"ttft_s": seconds / 8, "tpot_s": seconds / 8, "e2e_s": seconds, "tokens_per_s": 8 / seconds}
        for metric, middle in timed.items():
            measured |= {metric: middle, f"{metric}_p10": 0.95 * middle, f"{metric}_p90": middle / 0.95}
            measured[f"{metric}_p99"] = 1.1 * middle
        rows.append(latency_table.latency_record(shape, **measured))
    cells.write_table(tmp_path / "latency.csv", rows)
    return select.Config(fit=str(tmp_path / "fit"), latency=str(tmp_path / "latency.csv"), n_tokens=2e6)


@pytest.fixture
def law(tmp_path):
    """A latency law at its priors' centres, give or take a tenth of their spread, of one device."""
    rng = np.random.default_rng(1)
    device = FittedDevice("sim", "float32", "loop", (2.0**22, 2.0**26), (2e10, 1e10), 1e11, (0.01, 0.01))
    free_PCS = 0.1 * rng.standard_normal((len(formula.PARAMETERS), 2, 300))
    draws = {name: values[..., None] for name, values in formula.constrain(free_PCS).items()}
    draws |= {"noise_correlation": np.zeros((2, 300))}
    latency_law.LatencyPosterior(
        form=RooflineForm.SERIAL,
        devices=(device,),
        sessions=("",),
        draws=draws,
        effects_CS2N=np.zeros((2, 300, 2, 0)),
        misfit=Misfit(np.zeros((2, 2, 8)), np.zeros(2, int), np.zeros((2, 300, 2, 2))),
        failures=("R-hat 1.3 of sharpness is above 1.01",),
        fitted_cases=small_posterior.fitted_cases(device.name, [1.0, 1e12]),
    ).save(tmp_path / "law" / latency_law.FILE_NAME)
    return str(tmp_path / "law")


def test_a_law_answers_for_shapes_that_were_not_timed(inputs, law, tmp_path):
    names = tuple(shape.name for shape in SHAPES)
    config = dataclasses.replace(inputs, latency=law, candidates=names, latency_metric="tpot_s")
    config = dataclasses.replace(config, request=RequestConfig(prompt_tokens=8, new_tokens=9))
    failures = run(config, tmp_path / "free")
    assert failures[-1] == "latency law: R-hat 1.3 of sharpness is above 1.01"
    assert all("has no term" in failure for failure in failures[1:-1])
    table = pd.read_csv(tmp_path / "free" / "candidates.csv")
    posterior = latency_law.load_fit(law)
    load = Workload(batch=1, prompt_tokens=8, new_tokens=9, dtype="float32", mode="loop")
    expected = posterior.predict([Case(shape, load) for shape in SHAPES], seed=config.seed).intervals()
    np.testing.assert_allclose(table["latency_mean"], expected["tpot_s"])
    np.testing.assert_allclose(table["latency_lo90"], expected["tpot_s_lo90"])
    np.testing.assert_allclose(table["latency_hi90"], expected["tpot_s_hi90"])

    bound_s = float(expected["tpot_s_hi90"][3])  # the fastest one meets it with probability .95
    run(dataclasses.replace(config, max_latency_s=bound_s), tmp_path / "bound")
    table = pd.read_csv(tmp_path / "bound" / "candidates.csv")
    assert table.loc[3, "p_feasible"] == pytest.approx(0.95, abs=0.002)
    assert table["recommended"].tolist() == [False, False, False, True]
    chosen = files.read_json(tmp_path / "bound" / "selection.json")
    assert chosen["latency_source"] == "predicted"
    assert "within predicted tpot_s ≤" in selection.describe(chosen)


def test_a_law_answers_for_every_shape_of_one_size(inputs, law, tmp_path):
    grid = GridConfig(n_params=2e6, width_step=32, d_head=16, vocab_size=512, max_width=512, tolerance=0.1)
    config = dataclasses.replace(inputs, latency=law, grid=grid, max_latency_ratio=1.1)
    run(config, tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "candidates.csv")
    assert len(table) > 5
    assert table["n_params_total"].between(1.8e6, 2.2e6).all()
    assert 0 < (table["p_feasible"] >= 0.9).sum() < len(table)
    assert table["recommended"].sum() == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "candidates: none"),
        ({"candidates": ("d8-n1-h1-k1-c8-f8-v9",), "where": "batch == 1"}, "where='batch == 1': chooses rows"),
        ({"candidates": ("d8-n1-h1-k1-c8-f8-v9",), "request": RequestConfig(device_kind="tpu")}, "device_kind='tpu'"),
        (
            {"candidates": ("d8-n1-h1-k1-c8-f8-v9",), "request": RequestConfig(dtype="bfloat16")},
            "was not fitted for sim",
        ),
        (
            {
                "candidates": ("d8-n1-h1-k1-c8-f8-v9",),
                "latency_metric": "tpot_s",
                "request": RequestConfig(new_tokens=1),
            },
            "none of one new token",
        ),
        ({"candidates": ("d8-n1-h1-k1-c8-f8-v9",), "max_params": 10.0}, "max_params=10: the smallest candidate has"),
        ({"candidates": ("gpt-9",)}, "unknown architecture"),
    ],
)
def test_bad_input_to_a_law_is_named_and_nothing_written(inputs, law, tmp_path, changes, message):
    with pytest.raises(ValueError, match=r".") as caught:
        run(dataclasses.replace(inputs, latency=law, **changes), tmp_path / "out")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_without_a_bound_the_shape_nearest_the_optimum_wins(inputs, tmp_path):
    failures = run(inputs, tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "candidates.csv")
    assert table.loc[table["recommended"], "architecture"].tolist() == [SHAPES[2].name]
    assert table["p_best"].sum() == pytest.approx(1)
    chosen = files.read_json(tmp_path / "out" / "selection.json")
    assert chosen["latency_bound_s"] is None
    assert failures[0] == "law effective: R-hat 1.2 of E is above 1.01"
    assert [failure for failure in failures if "has no term" in failure] == failures[1:]
    assert f"Train {SHAPES[2].name}: predicted loss" in selection.describe(chosen)


def test_milliseconds_are_warned_of_beside_the_answer(inputs, tmp_path):
    table = pd.read_csv(inputs.latency)
    times = {name: 1e3 * table[name] for name in table if name.startswith(("ttft_s", "tpot_s", "e2e_s"))}
    table.assign(**times).to_csv(inputs.latency, index=False)
    assert any("are these milliseconds?" in failure for failure in run(inputs, tmp_path / "out"))


def test_a_table_without_spread_is_warned_of_and_leaves_nothing_certain(inputs, tmp_path):
    table = pd.read_csv(inputs.latency).assign(e2e_s_p10="", e2e_s_p90="", e2e_s_p99="", count=1)
    table.to_csv(inputs.latency, index=False)
    failures = run(dataclasses.replace(inputs, max_latency_s=0.2, min_p_feasible=0.7), tmp_path / "out")
    assert any("4 of 4 rows" in failure and "do not say how much e2e_s varies" in failure for failure in failures)
    chosen = pd.read_csv(tmp_path / "out" / "candidates.csv")
    assert chosen["p_feasible"].between(0.01, 0.99).all()


def test_the_bound_binds(inputs, tmp_path):
    run(dataclasses.replace(inputs, max_latency_s=0.2), tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "candidates.csv")
    assert table.loc[table["recommended"], "architecture"].tolist() == [SHAPES[3].name]
    assert table["p_best"].isna().sum() == 3
    assert files.read_json(tmp_path / "out" / "selection.json")["runner_up"] is None


def test_a_second_call_reads_the_first_ones_answer(inputs, tmp_path):
    run(inputs, tmp_path / "out")
    before = (tmp_path / "out" / "candidates.csv").stat().st_mtime_ns
    run(inputs, tmp_path / "out")
    assert (tmp_path / "out" / "candidates.csv").stat().st_mtime_ns == before


def test_timed_candidates_may_be_named_by_a_config_json(inputs, tmp_path):
    a = SHAPES[0]
    assert (a.tied_embeddings, a.qk_norm) == (False, False)
    fields = {"model_type": "llama", "hidden_size": a.d_model, "num_hidden_layers": a.n_layers, "head_dim": a.d_head}
    fields |= {"num_attention_heads": a.n_heads, "num_key_value_heads": a.n_kv_heads, "intermediate_size": a.d_ff}
    (tmp_path / "config.json").write_text(json.dumps(fields | {"vocab_size": a.vocab_size}))
    named = (str(tmp_path / "config.json"), *(shape.name for shape in SHAPES))
    run(dataclasses.replace(inputs, candidates=named), tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "candidates.csv")
    assert sorted(table["architecture"]) == sorted(shape.name for shape in SHAPES)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"candidates": ("qwen9",)}, "candidates: 'qwen9': unknown architecture"),
        (
            {"max_latency_s": 0.01},
            "latency bound 0.01 s: no candidate meets it with probability 0.9; the fastest needs",
        ),
        ({"candidates": ("d8-n1-h1-k1-c8-f8-v9",)}, "not timed in"),
        ({"where": "batch > 1"}, "keeps no row"),
        ({"max_params": 10.0}, "max_params=10: the smallest candidate has"),
        ({"fit": "nowhere"}, "posterior.nc"),
        ({"latency": "nowhere.csv"}, "no such file"),
        ({"grid": GridConfig(n_params=1e6)}, "grid: needs a latency law"),
        ({"request": RequestConfig(batch=2)}, "request: needs a latency law"),
    ],
)
def test_bad_input_is_named_and_nothing_written(inputs, tmp_path, changes, message):
    with pytest.raises(ValueError, match=r".") as caught:
        run(dataclasses.replace(inputs, **changes), tmp_path / "out")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_rows_may_go_by_names_of_their_own(inputs, tmp_path):
    table = pd.read_csv(inputs.latency)
    table["architecture"] = [f"mine-{number}" for number in range(len(table))]
    table.to_csv(inputs.latency, index=False)
    run(inputs, tmp_path / "every")
    assert len(pd.read_csv(tmp_path / "every" / "candidates.csv")) == len(table)
    n_params = pd.read_csv(tmp_path / "every" / "candidates.csv")["n_params_total"]
    config = dataclasses.replace(inputs, max_params=float(n_params.max()) - 1)
    run(config, tmp_path / "fewer")
    assert len(pd.read_csv(tmp_path / "fewer" / "candidates.csv")) == len(table) - 1


def test_as_many_candidates_as_memory_holds(inputs, law, tmp_path, monkeypatch):
    monkeypatch.setattr(candidates, "MOST_CELLS", 3 * 600)
    config = dataclasses.replace(inputs, latency=law, candidates=tuple(shape.name for shape in SHAPES))
    with pytest.raises(ValueError, match="grid: has 4 shapes, more than 3 at 600 draws"):
        run(config, tmp_path / "out")


def test_a_failed_certificate_reaches_the_selection(inputs, tmp_path):
    failed = Diagnostic(Kind.CERTIFICATE, "certificate effective", "priors: 9 % of the losses lie outside")
    diagnostic.write(tmp_path / "fit", [failed])
    failures = run(inputs, tmp_path / "out")
    assert failures[:2] == [
        "law effective: R-hat 1.2 of E is above 1.01",
        "law effective: certificate: priors: 9 % of the losses lie outside",
    ]


def test_the_recommendation_says_its_error_and_its_ties(inputs, tmp_path):
    run(inputs, tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "candidates.csv")
    chosen = files.read_json(tmp_path / "out" / "selection.json")
    assert (table["expected_regret_se"].dropna() >= 0).all()
    assert table["recommended"].sum() == 1
    assert table.loc[table["recommended"], "tied"].item()
    assert "(Monte Carlo error)" in selection.describe(chosen)


def test_a_dry_run_finds_the_bound_that_nothing_meets_and_says_what_the_answer_is_warned_of(inputs, tmp_path):
    assert runner.dry_run(select, inputs, tmp_path / "out")[0] == "law effective: R-hat 1.2 of E is above 1.01"
    with pytest.raises(InputError, match="no candidate meets it"):
        runner.dry_run(select, dataclasses.replace(inputs, max_latency_s=1e-6), tmp_path / "out")
    with pytest.raises(InputError, match="nowhere"):
        runner.dry_run(select, dataclasses.replace(inputs, fit="nowhere"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_table_of_several_workloads_must_be_narrowed(inputs, tmp_path):
    table = pd.read_csv(inputs.latency)
    rates = {name: 8 * table[name] for name in table if name.startswith("tokens_per_s")}
    both = pd.concat([table, table.assign(batch=8, **rates)])
    both.to_csv(inputs.latency, index=False)
    with pytest.raises(ValueError, match="several workloads; choose with where"):
        run(inputs, tmp_path / "out")
    run(dataclasses.replace(inputs, where="batch == 8"), tmp_path / "out")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("latency_metric", "hope"),
        ("level", "model"),
        ("n_tokens", -1.0),
        ("min_p_feasible", 1.0),
        ("top_k", 0),
        ("seed", -1),
    ],
)
def test_config_rules(field, value):
    with pytest.raises(ValueError, match=field):
        select.Config(**{field: value})


def test_a_latency_without_a_name_is_refused():
    with pytest.raises(InputError, match=r"latency='': must name a latency\.csv"):
        select.Config(latency="")
