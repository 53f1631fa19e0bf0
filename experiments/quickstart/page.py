"""What the quickstart leaves of its findings: test.csv, summary.json, and report.html with its figures."""

from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pandas as pd

from experiments.quickstart import curves, findings
from experiments.quickstart.config import Config
from experiments.quickstart.findings import Findings, Outcome, SeedNoise
from ie_scaling.architecture import Architecture
from ie_scaling.corpus import prepare
from ie_scaling.laws.observations import features_of
from ie_scaling.report import figures, page
from ie_scaling.report.figures import Interval
from ie_scaling.running import files
from ie_scaling.search import ranking, selection
from ie_scaling.search.selection import SelectionAnswer
from ie_scaling.tables import cells

CURVE_POINTS = 60


class QuickstartSummary(TypedDict):
    """summary.json; losses in nats per token, `selections` by law."""

    recommendation: str
    unigram_entropy: float
    lowest_loss: float
    highest_loss: float
    seed_noise: SeedNoise | None
    selections: dict[str, SelectionAnswer]
    test: list[Outcome]
    failures: list[str]


def write(config: Config, directory: Path, roles: dict[str, str], failures: list[str]) -> None:
    """Write all three from what the stages left in `directory`.

    `roles` says of each tested shape why it was trained; `failures` are the warnings of all stages.
    """
    results = Findings.read(config, directory)
    outcomes = findings.outcomes(results, roles)
    cells.write_table(directory / "test.csv", pd.DataFrame(outcomes))
    summary = QuickstartSummary(
        recommendation=selection.describe(results.selections[config.decision_law]),
        unigram_entropy=results.unigram_entropy,
        lowest_loss=float(results.runs["loss"].min()),
        highest_loss=float(results.runs["loss"].max()),
        seed_noise=findings.seed_noise(results.runs),
        selections=results.selections,
        test=outcomes,
        failures=failures,
    )
    files.write_json(directory / "summary.json", summary)
    sections = [
        _decision_section(results),
        _test_section(pd.DataFrame(outcomes)),
        _training_section(results, summary["seed_noise"]),
        _latency_section(results),
        _laws_section(results),
    ]
    title = f"Which shape to train: {len(results.candidates)} candidates at {config.candidate_tokens:,} tokens"
    page.write(directory / "report.html", title, summary["recommendation"], failures, sections)


def _decision_section(results: Findings) -> page.Section:
    config, table = results.config, results.candidates
    names = table["architecture"].tolist()
    labels = [findings.label_of(name) for name in names]
    selected = results.selections[config.decision_law]
    architectures = [Architecture.parse(name) for name in names]
    features, heatmaps = features_of(architectures, table["n_tokens"].tolist()), {}
    for law, posterior in results.posteriors.items():
        identities = posterior.identify(architectures)
        losses_of = posterior.losses(features, level=config.select.level, seed=config.select.seed, model_ids=identities)
        chance = ranking.rank_probabilities(losses_of.to_choose(np.arange(posterior.n_draws)))
        caption = f"Law {law}: P(rank = k) of each candidate by loss, level {config.select.level}, latency ignored."
        heatmaps[f"rank_probability_{law}"] = (figures.rank_heatmap(labels, chance, law), caption)
    columns = ["n_params_total", "loss_mean", "loss_lo90", "loss_hi90", "p_best", "p_top_k", "expected_rank"]
    columns += ["expected_regret", "latency_mean", "p_feasible", "p_pareto", "recommended"]
    shown = table[columns].copy()
    shown.insert(0, "shape (d×n)", labels)
    by_law = pd.DataFrame(
        [
            {"law": law, "recommended": findings.label_of(chosen["recommended"])} | _brief(chosen)
            for law, chosen in results.selections.items()
        ]
    )
    bound_s = selected["latency_bound_s"] if selected["latency_bound_s"] is not None else float("inf")
    pareto = figures.loss_against_latency(table, labels, bound_s)
    caption = "Predicted loss against measured latency; dashed: the bound; star: recommended; gray: too slow."
    return page.Section(
        "The decision",
        [
            "Ranks and regret are among the shapes that meet the latency bound; the others are blank. "
            "Each draw of the posterior is a joint prediction for all shapes, so ranks account for what they share.",
            "How the choice depends on the law is in the second table.",
        ],
        [shown.sort_values("loss_mean"), by_law],
        {"loss_against_latency": (pareto, caption)} | heatmaps,
    )


def _brief(chosen: SelectionAnswer) -> dict[str, Any]:
    return {name: chosen[name] for name in ("loss_mean", "loss_lo90", "loss_hi90", "p_best", "expected_regret")} | {
        "gate": "failed" if chosen["failures"] else "passed"
    }


def _test_section(test: pd.DataFrame) -> page.Section:
    test = test.assign(shape=[findings.label_of(name) for name in test["architecture"]])
    labels = test["shape"] + " (" + test["role"] + ")"
    realized = dict(zip(labels, test["loss"].astype(float), strict=True))
    groups: dict[str, list[Interval]] = {}
    for law, rows in test.groupby("law", sort=False):
        numbers = rows[["prediction", "lo90", "hi90"]].to_numpy(float).tolist()
        groups[str(law)] = [Interval(label, *row) for label, row in zip(labels[rows.index], numbers, strict=True)]
    figure = figures.predicted_against_realized(groups, realized)
    inside = test.groupby("law", sort=False)["inside"].sum()
    counted = ", ".join(f"{law} {count} of {len(realized)}" for law, count in inside.items())
    shown = test[["shape", "role", "law", "loss", "prediction", "lo90", "hi90", "error_percent", "inside"]]
    return page.Section(
        "The test: three shapes trained after the fact",
        [f"Realized losses inside the 90 % interval for one new run: {counted}."],
        [shown],
        {
            "predicted_against_realised": (
                figure,
                "Black: the loss that came out. Points and bars: predicted beforehand.",
            )
        },
    )


def _training_section(results: Findings, noise: SeedNoise | None) -> page.Section:
    runs, config = results.runs, results.config
    posterior = results.posteriors[config.decision_law]
    template = Architecture.parse(runs["model_id"].iloc[0])
    span = np.geomspace(runs["n_params_total"].min() / 1.3, runs["n_params_total"].max() * 2, CURVE_POINTS)
    bands = [
        curves.bands(posterior, template, span, float(tokens), config.recipe.sequence_length)
        for tokens in sorted(runs["n_tokens"].unique())
    ]
    by_size, by_flops = zip(*bands, strict=True)
    entropy = results.unigram_entropy
    text = [
        prepare.describe(results.manifest),
        f"Losses run from {runs['loss'].min():.3f} to {runs['loss'].max():.3f} nats/token, "
        f"{entropy - runs['loss'].min():.2f} to {entropy - runs['loss'].max():.2f} below the unigram entropy.",
    ]
    if noise is not None:
        text.append(
            f"Seed noise: sd {noise['sd_over_seeds']:.4f} over {noise['n_runs']} runs of one shape and budget; "
            f"shapes of about that size differ by sd {noise['sd_over_shapes']:.4f} "
            f"(range {noise['range_over_shapes']:.4f}, {noise['n_shapes']} shapes)."
        )
    proportions = f"law {config.decision_law} at d/n = {posterior.reference.R0:.0f}"
    caption = f"Bands: {proportions}, mean and 90 % interval for a new shape."
    sizes = figures.loss_curves(runs, by_size, "n_params_total", "parameters, embeddings included")
    flops = figures.loss_curves(runs, by_flops, "training_flops", "training FLOPs")
    shown = runs[["model_id", "n_params_total", "n_params_non_embedding", "n_tokens", "seed", "loss"]]
    named = {"loss_against_parameters": (sizes, caption), "loss_against_flops": (flops, caption)}
    return page.Section("The runs", text, [shown], named)


def _latency_section(results: Findings) -> page.Section:
    row = results.latency.iloc[0]
    workload = f"batch {row['batch']:.0f}, prompt {row['prompt_tokens']:.0f}, new {row['new_tokens']:.0f}"
    columns = ["compile_s", "ttft_s", "tpot_s", "tpot_s_p10", "tpot_s_p90", "e2e_s", "tokens_per_s", "floor_s", "count"]
    shown = results.latency[columns].copy()
    shown.insert(0, "shape (d×n)", [findings.label_of(name) for name in results.latency["architecture"]])
    figure = figures.latency_against_depth(results.latency)
    about = f"{row['device_kind']}, {row['dtype']}, {workload}, mode {row['mode']}; random weights, shapes interleaved."
    return page.Section(
        "Decode latency", [about], [shown], {"latency_against_depth": (figure, "Time per output token against depth.")}
    )


def _laws_section(results: Findings) -> page.Section:
    groups, rows = {}, []
    for law, posterior in results.posteriors.items():
        summary, fit = posterior.summary(), results.fits[law]
        names = [name for name in posterior.law.names if summary[name]["lo90"] > 0]
        intervals = [Interval(name, *(summary[name][key] for key in ("mean", "lo90", "hi90"))) for name in names]
        groups[law] = ({name: fit["params"][name] for name in names}, intervals)
        metrics = fit["metrics"]["fit"]
        assert metrics is not None  # None is for rows that are held out, where there are none
        rows.append(
            {
                "law": law,
                "count": fit["count"],
                "least squares": fit["status"],
                "rmse": np.sqrt(metrics["mse"]),
                "convergence gate": "; ".join(posterior.failures) or "passed",
                "shape sd τ": summary["tau"]["median"],
                "run sd σ": summary["sigma"]["median"],
            }
        )
    figure = figures.least_squares_against_bayes(groups)
    caption = "Least squares (crosses) beside the posterior's mean and 90 % interval, log scale."
    text = ["τ is what a law misses about a shape, σ the noise of one run, both in ln(nats)."]
    return page.Section("The laws", text, [pd.DataFrame(rows)], {"least_squares_against_bayes": (figure, caption)})
