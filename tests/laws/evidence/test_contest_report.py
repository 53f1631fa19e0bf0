"""The contest in words: they follow the intervals."""

import pytest

from ie_scaling.laws.evidence import contest_report
from ie_scaling.laws.evidence.contest import Approach, Entry
from tests.laws.evidence.contest_parts import ENTRIES, tabulated


@pytest.mark.parametrize(("crps", "word"), [(0.001, "better"), (0.003, "worse"), (0.002, "no different")])
def test_the_words_follow_the_interval(crps, word):
    scores = tabulated(crps).set_index(["left_out", "entry"])
    assert contest_report.verdict(scores.loc[("size", Approach.STACKED)], "crps") == word


def test_the_paragraph_says_when_bayes_buys_nothing():
    scores = tabulated(0.002)
    assert "can show on made_up by model." in contest_report.paragraph(tabulated(0.001), ENTRIES)
    scores.loc[scores["entry"] == Approach.STACKED, ["decision_difference_lo90", "decision_difference_hi90"]] = [-1, 1]
    text = contest_report.paragraph(scores, ENTRIES)
    assert "buys nothing that these runs can show on made_up by size, made_up by model" in text
    assert "92 %" in text
    assert "| bootstrap effective |" in contest_report.to_markdown(scores, ENTRIES)


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
    assert "the law earns 28 (bootstrap effective over bootstrap chinchilla)" in text
    assert text.endswith("the same law: chinchilla -1, effective +0. ")
