"""Who enters the contest."""

from ie_scaling.inference.config import NutsConfig
from ie_scaling.laws.evidence.entries import Approach, Contest, Entry

SMALL = Contest(laws=("chinchilla", "effective"), published=("chinchilla",), n_bootstrap=50, nuts=NutsConfig(), seed=0)


def test_entries_are_in_the_order_of_the_tables_and_one_law_is_not_stacked():
    names = [str(entry) for entry in SMALL.entries]
    assert names[:3] == ["bayes chinchilla", "bayes effective", "bayes stacked"]
    assert names[3:9:3] == ["bootstrap chinchilla", "conformal chinchilla"]
    orders = ["one small scale interpolated", "one small scale parabola", "more parameters"]
    assert names[9:] == ["curve_fit chinchilla", *orders]
    assert Entry(Approach.STACKED) not in SMALL.without(["chinchilla"]).entries
    assert SMALL.without(["chinchilla"]).published == ()


def test_the_rival_of_an_entry_is_of_the_same_law_or_stack():
    assert Entry(Approach.BAYES, "effective").by(Approach.BOOTSTRAP) == Entry(Approach.BOOTSTRAP, "effective")
    assert Entry(Approach.STACKED).by(Approach.CONFORMAL) == Entry(Approach.CONFORMAL_STACKED)
