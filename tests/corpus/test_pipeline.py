"""Windows and batches: nothing lost, nothing doubled, resumed exactly."""

import numpy as np
import pytest

from ie_scaling.corpus import pipeline as data

TOKENS = np.arange(1, 7 * 13 + 2, dtype=np.uint16)  # 13 windows of 7


def test_windows_tile_the_split_and_overlap_by_the_target():
    windows = data.TokenWindows(TOKENS, 7)
    assert len(windows) == 13
    inputs = np.concatenate([windows[i][:-1] for i in range(13)])
    assert inputs.tolist() == TOKENS[:-1].tolist()
    assert all(windows[i][-1] == windows[i + 1][0] for i in range(12))


def test_an_epoch_shows_every_window_once_and_the_next_in_another_order():
    batches = data.training_batches(TOKENS, 7, 1, seed=3)
    epochs = [[int(next(batches)[0, 0]) for _ in range(13)] for _ in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == TOKENS[:-1:7].tolist()
    assert epochs[0] != epochs[1]


def test_batches_are_a_function_of_the_seed():
    def first(seed):
        batches = data.training_batches(TOKENS, 7, 4, seed)
        return np.stack([next(batches) for _ in range(5)])

    assert (first(1) == first(1)).all()
    assert (first(1) != first(2)).any()


@pytest.mark.parametrize("at", [0, 1, 5, 14])
def test_a_restored_iterator_goes_on_exactly(at):
    batches = data.training_batches(TOKENS, 7, 4, seed=0)
    for _ in range(at):
        next(batches)
    state = batches.get_state()
    expected = [next(batches) for _ in range(6)]
    again = data.training_batches(TOKENS, 7, 4, seed=0)
    again.set_state(state)
    for batch in expected:
        np.testing.assert_array_equal(next(again), batch)


def test_evaluation_windows_are_spread_and_fixed():
    batches = data.evaluation_batches(TOKENS, 7, 3, n_tokens=42)
    assert batches.shape == (2, 3, 8)
    assert batches[0, 0, 0] == 1
    assert batches[-1, -1, -1] == TOKENS[-1]


def test_too_short_a_split_is_refused():
    with pytest.raises(ValueError, match="sequence_length=200: longer than"):
        data.TokenWindows(TOKENS, 200)
    with pytest.raises(ValueError, match="batch_size=20: more than"):
        data.evaluation_batches(TOKENS, 7, 20, 100)
