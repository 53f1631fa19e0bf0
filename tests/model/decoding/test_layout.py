"""The layout for several vectors: the faster of two, measured once, also while something is traced; longer rows."""

import jax
import jax.numpy as jnp
import pytest

from ie_scaling.model.decoding import layout


@pytest.fixture(autouse=True)
def fresh():
    layout.many_in_first.cache_clear()
    yield
    layout.many_in_first.cache_clear()


@pytest.mark.parametrize("faster", [True, False])
def test_the_faster_one_is_chosen(faster, monkeypatch):
    monkeypatch.setattr(layout, "_compile", lambda in_first: (in_first, []))
    monkeypatch.setattr(layout, "_seconds", lambda in_first, _: 1.0 if in_first == faster else 1.2)
    assert layout.many_in_first() is faster


@pytest.mark.parametrize(("width", "unused"), [(16384, 48), (50432, 0), (65536, 48), (1024, 0)])
def test_rows_that_would_share_their_places_are_longer(width, unused):
    assert layout.padding(width) == unused


def test_it_is_measured_on_real_products_even_within_a_trace(monkeypatch):
    monkeypatch.setattr(layout, "WIDTHS", (32, 64))
    measured = []
    seconds = layout._seconds
    monkeypatch.setattr(layout, "_seconds", lambda *run: measured.append(seconds(*run)) or measured[-1])

    def double(x):
        found = layout.many_in_first()
        assert isinstance(found, bool)
        assert layout.many_in_first() is found
        return 2 * x

    assert jax.eval_shape(double, jnp.ones(3)).shape == (3,)
    assert len(measured) == 2 * layout.N_ROUNDS
    assert all(value > 0 for value in measured)
