"""Windows and batches: nothing lost, nothing doubled, resumed exactly, the same on any number of hosts."""

import hashlib

import grain
import hypothesis
import numpy as np
import pytest
from grain.experimental import LimitIterDataset, assert_equal_output_after_checkpoint
from hypothesis import given
from hypothesis import strategies as st

from ie_scaling.corpus import pipeline
from tests.corpus.conftest import write_store

TOKENS = np.arange(1, 7 * 13 + 2, dtype=np.uint16)  # 13 windows of 7
LONG = np.arange(1, 7 * 151 + 6, dtype=np.uint16)  # 151 windows of 7, and a rest
OTHER = np.arange(2001, 2000 + 7 * 211 + 2, dtype=np.uint16)  # 211 windows of 7


@pytest.fixture
def one(store_of):
    return [(store_of(TOKENS, cuts=(20, 45)), 1.0)]


@pytest.fixture
def two(store_of):
    return [(store_of(LONG), 0.7), (store_of(OTHER, cuts=(50, 51, 900)), 0.3)]


def take(batches, n):
    return np.stack([next(batches) for _ in range(n)])


def test_windows_tile_the_split_and_overlap_by_the_target(one):
    windows = pipeline.TokenWindows(one[0][0], 7)
    assert len(windows) == 13
    inputs = np.concatenate([windows[i][:-1] for i in range(13)])
    assert inputs.tolist() == TOKENS[:-1].tolist()
    assert all(windows[i][-1] == windows[i + 1][0] for i in range(12))


def test_an_epoch_shows_every_window_once_and_the_next_in_another_order(one):
    batches = pipeline.training_batches(one, 7, 1, seed=3)
    epochs = [[int(next(batches)[0, 0]) for _ in range(13)] for _ in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == TOKENS[:-1:7].tolist()
    assert epochs[0] != epochs[1]


def test_batches_are_a_function_of_the_seed(one):
    first, again, other = (take(pipeline.training_batches(one, 7, 4, seed), 5) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_the_order_of_one_corpus_is_that_of_published_runs(one):
    """Losses in the README were measured in this order; if it moves, they have to be measured again."""
    batches = take(pipeline.training_batches(one, 7, 4, seed=5), 10)
    assert batches.dtype == np.int32
    digest = hashlib.sha256(batches.tobytes()).hexdigest()
    assert digest == "25bd5d6d1433dc4e2ff23ad01cc9159ddb8e04c3acb4a2203afbd044da0f78a4"


@pytest.mark.parametrize("start", [0, 1, 3, 4, 17])  # 13 windows: a batch of 4 in the second epoch, and the sixth
def test_the_number_of_batches_used_is_all_there_is_to_resume(one, two, start):
    for mixture in (one, two):
        whole = take(pipeline.training_batches(mixture, 7, 4, seed=0), start + 6)
        rest = take(pipeline.training_batches(mixture, 7, 4, seed=0, start=start), 6)
        np.testing.assert_array_equal(rest, whole[start:])


@pytest.mark.parametrize("n_hosts", [1, 2, 4])
def test_hosts_share_each_batch_and_resume_on_another_number(store_of, two, n_hosts):
    for mixture in ([(store_of(LONG), 1.0)], two):
        whole = take(pipeline.training_batches(mixture, 7, 40, seed=0), 9)
        for start in (0, 5):
            parts = [pipeline.training_batches(mixture, 7, 40, 0, start, host, n_hosts) for host in range(n_hosts)]
            together = np.concatenate([take(part, 4) for part in parts], axis=1)
            np.testing.assert_array_equal(together, whole[start : start + 4])


def test_grain_restores_the_stream_at_every_step(two):
    dataset = pipeline.training_dataset(two, 7, 4, seed=0, host=1, n_hosts=2)[2:]
    assert_equal_output_after_checkpoint(LimitIterDataset(dataset.to_iter_dataset(grain.ReadOptions(1, 4)), 8))


def test_a_mixture_keeps_its_weights_and_each_corpus_its_epochs(two):
    rows = take(pipeline.training_batches(two, 7, 50, seed=0), 60)[:, :, 0].ravel()
    of_other = rows > 2000
    assert of_other.mean() == pytest.approx(0.3, abs=0.003)
    for starts, tokens in ((rows[~of_other], LONG), (rows[of_other], OTHER)):
        windows = tokens[: (len(tokens) - 1) // 7 * 7 : 7].tolist()
        n_epochs = len(starts) // len(windows)
        assert n_epochs > 3
        epochs = starts[: n_epochs * len(windows)].reshape(n_epochs, -1)
        assert (np.sort(epochs, axis=1) == windows).all()
        assert len({tuple(epoch) for epoch in epochs}) == n_epochs


@hypothesis.settings(max_examples=15)
@given(st.lists(st.floats(0.05, 1.0), min_size=2, max_size=4))
def test_every_stretch_of_a_mixture_has_its_weights(tmp_path_factory, weights):
    folder = tmp_path_factory.mktemp("mixture")
    stores = [write_store(folder / f"{place}", np.full(60_001, place, np.uint16)) for place in range(len(weights))]
    dataset = pipeline.training_dataset(list(zip(stores, weights, strict=True)), 1, 400, seed=0)
    batch = dataset[3]
    assert batch is not None
    shares = np.bincount(batch[:, 0], minlength=len(weights)) / 400
    np.testing.assert_allclose(shares, np.array(weights) / sum(weights), atol=0.01 + len(weights) / 400)


def test_equal_corpora_of_a_mixture_have_orders_of_their_own(store_of):
    stores = [store_of(LONG), store_of(LONG + np.uint16(2000))]
    rows = take(pipeline.training_batches([(store, 1.0) for store in stores], 7, 26, seed=0), 1)[0, :, 0]
    assert rows[rows < 2000].tolist() != (rows[rows > 2000] - 2000).tolist()


def test_evaluation_windows_are_spread_and_fixed(one):
    batches = pipeline.evaluation_batches(one[0][0], 7, 3, n_tokens=42)
    assert batches.shape == (2, 3, 8)
    assert batches[0, 0, 0] == 1
    assert batches[-1, -1, -1] == TOKENS[-1]


def test_what_cannot_be_batched_is_refused_in_one_line(one, store_of):
    store = one[0][0]
    with pytest.raises(ValueError, match="sequence_length=200: longer than the split's 92 tokens"):
        pipeline.training_batches(one, 200, 4, seed=0)
    with pytest.raises(ValueError, match="batch_size=20: more than"):
        pipeline.evaluation_batches(store, 7, 20, 100)
    with pytest.raises(ValueError, match="batch_size=5: must be a multiple of the 2 hosts"):
        pipeline.training_batches(one, 7, 5, seed=0, n_hosts=2)
    with pytest.raises(ValueError, match="host=2: must be from 0 to 1"):
        pipeline.training_batches(one, 7, 4, seed=0, host=2, n_hosts=2)
    with pytest.raises(ValueError, match=r"weight=0.0 of .*: must be above zero"):
        pipeline.training_batches([(store, 0.0)], 7, 4, seed=0)
    with pytest.raises(ValueError, match="must name a corpus"):
        pipeline.training_batches([], 7, 4, seed=0)
    with pytest.raises(ValueError, match="its tokenizer is not that of"):
        pipeline.training_batches([(store, 1.0), (store_of(TOKENS, tokenizer="u"), 1.0)], 7, 4, seed=0)
