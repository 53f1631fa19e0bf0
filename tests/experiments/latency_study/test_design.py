"""What a latency study times: each sweep varies what it says and nothing else, and nothing held out was fitted."""

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs import latency_study as config_file
from experiments.latency_study import design
from experiments.latency_study.config import (
    SWEEPS,
    Config,
    LongContextConfig,
    ProportionsConfig,
    RandomConfig,
)
from ie_scaling import accounting, workload
from ie_scaling.errors import InputError

CPU = Config()


@pytest.fixture(scope="module", params=["cpu", "accelerator"])
def study(request):
    config = CPU if request.param == "cpu" else config_file.accelerator()
    return config, {sweep.name: sweep for sweep in design.design(config, "float32")}


def by_series(sweep):
    return {name: list(points) for name, points in itertools.groupby(sweep.points, key=lambda point: point.series)}


def n_non(point):
    return accounting.count_non_embedding_parameters(point.case.architecture)


def test_depth_alone_varies_at_each_width(study):
    config, sweeps = study
    series = by_series(sweeps["depth"])
    assert len(series) == len(config.depth_widths)
    for (name, points), width in zip(series.items(), config.depth_widths, strict=True):
        assert name == f"d={width}"
        assert [point.x for point in points] == [point.case.architecture.n_layers for point in points]
        assert tuple(point.x for point in points) == config.depths
        one = {dataclasses.replace(point.case.architecture, n_layers=1) for point in points}
        assert len(one) == 1
        a = one.pop()
        assert a.d_model == a.n_heads * a.d_head == width
        assert a.query_group == config.proportions.query_group
        assert accounting.mlp_attention_ratio(a) == pytest.approx(config.proportions.mlp_attention_ratio, rel=0.05)
        assert {point.case.workload.batch for point in points} == {1}


def test_aspect_ratio_varies_at_fixed_size_g_and_r(study):
    config, sweeps = study
    series = by_series(sweeps["aspect_ratio"])
    assert len(series) == len(config.sizes)
    for points, size in zip(series.values(), config.sizes, strict=True):
        ratios = [point.x for point in points]
        assert len(ratios) == config.n_aspect_ratios
        assert ratios == sorted(set(ratios)) == [point.case.architecture.aspect_ratio for point in points]
        assert config.aspect_ratios[0] <= ratios[0] < ratios[-1] / 10
        assert ratios[-1] <= config.aspect_ratios[1]
        assert all(n_non(point) == pytest.approx(size, rel=config.size_tolerance) for point in points)
        for point in points:
            a = point.case.architecture
            assert a.query_group == config.proportions.query_group
            assert a.n_heads * a.d_head == a.d_model
            r = accounting.mlp_attention_ratio(a)
            assert r == pytest.approx(config.proportions.mlp_attention_ratio, rel=config.ratio_tolerance)


def test_batch_varies_for_the_widest_and_the_deepest_shape_of_one_size(study):
    config, sweeps = study
    wide, deep = by_series(sweeps["batch"]).values()
    of_size = by_series(sweeps["aspect_ratio"])[f"{config.sizes[0] / 1e6:g}M parameters"]
    for points, other in ((wide, of_size[-1]), (deep, of_size[0])):
        assert {point.case.architecture for point in points} == {other.case.architecture}
        assert tuple(point.case.workload.batch for point in points) == config.batches
        assert tuple(point.x for point in points) == config.batches


def test_g_takes_every_divisor_at_fixed_size_and_heads(study):
    config, sweeps = study
    for points in by_series(sweeps["query_group"]).values():
        shapes = [point.case.architecture for point in points]
        heads = shapes[0].n_heads
        assert {a.n_heads for a in shapes} == {heads}
        assert [point.x for point in points] == [g for g in range(1, heads + 1) if heads % g == 0]
        assert [a.query_group for a in shapes] == [point.x for point in points]
        assert len({(a.d_model, a.n_layers) for a in shapes}) == 1
        sizes = [n_non(point) for point in points]
        assert max(sizes) / min(sizes) < 1 + 2 * config.size_tolerance
        assert shapes[-1].d_ff > shapes[0].d_ff  # the MLP takes what keys and values give up


def test_r_trades_heads_for_d_ff_at_fixed_size_and_g(study):
    config, sweeps = study
    series = by_series(sweeps["mlp_ratio"])
    assert len(series) == len(config.long_context.batches)
    for points in series.values():
        shapes = [point.case.architecture for point in points]
        assert [point.x for point in points] == [accounting.mlp_attention_ratio(a) for a in shapes]
        for point, wanted in zip(points, sorted(config.long_context.mlp_ratios), strict=True):
            assert point.x == pytest.approx(wanted, rel=0.2)
        assert len({(a.d_model, a.n_layers, a.query_group) for a in shapes}) == 1
        sizes = [n_non(point) for point in points]
        assert max(sizes) / min(sizes) < 1 + 2 * config.size_tolerance
        assert {point.case.workload.prompt_tokens for point in points} == {config.long_context.prompt_tokens}


def test_what_is_held_out_was_never_fitted(study):
    config, sweeps = study
    random = by_series(sweeps["random"])
    tests = [point.case for point in random["held_out"]]
    held_out = [case.architecture for case in tests]
    fitted = {case.architecture for name, sweep in sweeps.items() if name != "random" for case in sweep.cases}
    fitted |= {point.case.architecture for point in random["training"]}
    assert len(held_out) == len(set(held_out)) == config.random.n_held_out >= 24
    assert len(random["training"]) == config.random.n_training
    assert not fitted & set(held_out)
    swept = [case for name in SWEEPS for case in sweeps[name].cases]
    sizes = [accounting.count_parameters(case.architecture) for case in swept]
    for case in tests:
        assert min(sizes) <= accounting.count_parameters(case.architecture) <= max(sizes)
        assert case.workload.batch <= max(config.batches)
        assert design.request_seconds(case, config.assumed) <= config.random.max_request_s
    assert len({case.workload.batch for case in tests}) > 3
    assert len({case.architecture.query_group for case in tests}) > 3


def test_random_shapes_follow_the_seed():
    first, again, other = (
        design.design(dataclasses.replace(CPU, seed=seed), "float32")[-1].cases for seed in (0, 0, 1)
    )
    assert first == again
    assert not {case.architecture for case in first} & {case.architecture for case in other}


@given(
    d_head=st.sampled_from([8, 16, 48]),
    query_group=st.sampled_from([1, 2, 3]),
    ratio=st.floats(0.8, 6),
    size=st.integers(500_000, 3_000_000),
    width=st.integers(1, 4),
    heads=st.integers(3, 8),
    seed=st.integers(0, 5),
)
def test_any_design_is_as_described_or_refused(d_head, query_group, ratio, size, width, heads, seed):
    multiple = d_head * query_group
    config = Config(
        proportions=ProportionsConfig(
            vocab_size=512, d_head=d_head, query_group=query_group, mlp_attention_ratio=ratio, d_ff_multiple=4
        ),
        depth_widths=(width * multiple,),
        depths=(1, 2, 5),
        sizes=(size,),
        n_aspect_ratios=2,
        batches=(1, 3),
        long_context=LongContextConfig(d_model=heads * multiple, n_layers=2, batches=(2,), mlp_ratios=(1.0, 4.0)),
        random=RandomConfig(n_training=2, n_held_out=3),
        seed=seed,
    )
    try:
        sweeps = design.design(config, "float32")
    except InputError as error:
        message = str(error)
        if any(field in message for field in ("n_aspect_ratios=2", "long_context.", "random.n_held_out=3")):
            return
        raise
    shapes = {sweep.name: [case.architecture for case in sweep.cases] for sweep in sweeps}
    assert all(
        accounting.count_non_embedding_parameters(a) == pytest.approx(size, rel=config.size_tolerance)
        for a in shapes["aspect_ratio"] + shapes["batch"]
    )
    for name in ("query_group", "mlp_ratio"):
        sizes = [accounting.count_non_embedding_parameters(a) for a in shapes[name]]
        assert max(sizes) / min(sizes) <= (1 + config.size_tolerance) / (1 - config.size_tolerance)
    held_out, shapes["random"] = shapes["random"][2:], shapes["random"][:2]
    assert len(set(held_out)) == 3
    assert not set(held_out) & {a for others in shapes.values() for a in others}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depth_widths": (100,)}, r"depth_widths=100: must be a multiple of d_head·query_group = 64"),
        ({"n_aspect_ratios": 50}, r"n_aspect_ratios=50: only \d+ shapes of 12,000,000 parameters"),
        ({"long_context": LongContextConfig(mlp_ratios=(2.0, 2.01))}, r"long_context.mlp_ratios=\(2.0, 2.01\): two"),
        ({"long_context": LongContextConfig(batches=(1, 1))}, r"query_group: .* comes twice"),
        ({"max_case_gib": 0.01}, r"max_case_gib=0.01: \w+ has d\d+"),
        ({"random": RandomConfig(max_request_s=1e-6)}, r"random.n_held_out=24: too few distinct shapes within"),
    ],
)
def test_a_design_that_cannot_be_had_names_the_field(changes, message, monkeypatch):
    monkeypatch.setattr(design, "MOST_DRAWS", 300)
    with pytest.raises(InputError, match=message):
        design.design(dataclasses.replace(CPU, **changes), "float32")


def test_the_price_is_bytes_and_seconds_at_the_assumed_rates():
    sweep = design.design(dataclasses.replace(CPU, sweeps=("depth",)), "float32")[0]
    price = design.price(sweep, CPU)
    a, load = sweep.cases[-1].architecture, sweep.cases[-1].workload
    assert price.largest_bytes == workload.memory_bytes(a, load)
    least = workload.step_bytes(a, load) / CPU.assumed.bytes_per_s * (load.new_tokens - 1)
    assert design.request_seconds(sweep.cases[-1], CPU.assumed) > least
    n_requests = CPU.decode.warmup + CPU.decode.repeats
    requests = n_requests * sum(design.request_seconds(case, CPU.assumed) for case in sweep.cases)
    layers = sum(case.architecture.n_layers for case in sweep.cases)
    compiling = CPU.assumed.compile_s * len(sweep.cases) + CPU.assumed.compile_s_per_layer * layers
    assert price.least_s == pytest.approx(requests + compiling)
    assert price.least_s < price.most_s <= price.least_s + CPU.decode.max_measure_s * len(sweep.cases)
