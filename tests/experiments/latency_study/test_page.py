"""The page of a latency study: one warning for each sweep, and a headline that counts its findings."""

import pandas as pd

from experiments.latency_study import findings, page
from ie_scaling.architecture import Architecture
from ie_scaling.running.diagnostic import Diagnostic, Kind
from tests.experiments.latency_study.simulated import simulate


def test_several_warnings_of_a_sweep_are_one_on_the_page():
    by_sweep = [("depth", "a"), ("batch", "b"), ("depth", "c"), ("depth", "d")]
    diagnostics = [Diagnostic(Kind.TIMING, sweep, message) for sweep, message in by_sweep]
    diagnostics.append(Diagnostic(Kind.ASSUMPTION, "law", "no warning"))
    assert page.shortened(diagnostics) == ["depth: a (and 2 more of depth; all are in summary.json)", "batch: b"]


def test_the_headline_counts_findings_by_verdict():
    line, bend = {n: 4e-4 * n for n in (1, 2, 4, 8)}, {n: 1e-4 * n**2.5 for n in (1, 2, 4, 8)}
    depth = simulate({"d=64": line, "d=128": bend})
    groups = simulate({"batch 1": {1: 4e-3, 2: 2e-3, 4: 1e-3}})
    every = findings.of_sweep("depth", depth) + findings.of_sweep("query_group", groups)
    shapes = pd.DataFrame([Architecture.parse(name).to_fields() for name in depth.table["architecture"]])
    table = depth.table.assign(device_kind="cpu", dtype="float32", **shapes)
    assert page.headline(table, every).partition(" in float32. ")[2] == (
        "TPOT is linear in depth (R² ≥ 0.99) at 1 of 2 widths. "
        "Larger g for TPOT: helps in 1 of 1; for throughput: helps in 1 of 1."
    )
