"""The contest in words: they follow the intervals, and are silent about few models."""

import pytest

from ie_scaling.laws.evidence import contest_report
from ie_scaling.laws.evidence.entries import Approach, Entry
from tests.laws.evidence.contest_parts import ENTRIES, compared, tabulated


def verdict_by_size(crps: float, n_models: int = 12) -> str:
    rows = compared(crps, n_models).set_index(["left_out", "entry", "rival", "metric"], drop=False).sort_index()
    return contest_report.verdict(rows.loc[("size", "bayes stacked", "bootstrap stacked", "crps")])


@pytest.mark.parametrize(("crps", "word"), [(0.001, "better"), (0.003, "worse"), (0.002, "no different")])
def test_the_words_follow_the_interval(crps, word):
    assert verdict_by_size(crps) == word


def test_a_lead_over_few_models_is_no_verdict():
    assert verdict_by_size(0.001, n_models=8) == "too few models to tell"
    text = contest_report.to_markdown(tabulated(0.001, 8), compared(0.001, 8), ENTRIES)
    assert "On made_up by size, made_up by model fewer than 10 models are scored: too few models to tell." in text
    assert "16 rows of 8 models (too few models to tell)" in text
    assert "better" not in text


def test_every_sentence_on_a_posterior_names_its_rival():
    text = contest_report.to_markdown(tabulated(0.001), compared(0.001), ENTRIES)
    assert (
        "The stacked posterior beside bootstrap stacked (the same laws in the same proportions): log score better on "
        "made_up by size; CRPS better on made_up by size; interval score better on made_up by size;" in text
    )
    assert "The stacked posterior beside conformal stacked" in text
    assert "bayes effective | bootstrap effective | 1 better, 1 no different" in text
    assert "bayes stacked better than one small scale interpolated on made_up by size" in text
    assert "hindsight" not in text


def test_what_the_law_earns_and_what_the_posterior_earns():
    shares = {
        Entry(Approach.BAYES, "chinchilla"): 68.0,
        Entry(Approach.BAYES, "effective"): 97.0,
        Entry(Approach.STACKED): 97.0,
        Entry(Approach.BOOTSTRAP, "chinchilla"): 69.0,
        Entry(Approach.BOOTSTRAP, "effective"): 97.0,
        Entry(Approach.BOOTSTRAP, "width_depth"): 10.0,  # no posterior of it
    }
    text = contest_report._law_or_posterior(shares)
    assert "the bootstrap's share varies by 28 points" in text
    assert text.endswith("the same law: chinchilla -1, effective +0. ")
