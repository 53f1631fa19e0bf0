"""Batches of token windows: a seeded Grain pipeline over one corpus or a mixture, and fixed windows for evaluation.

A training batch is a function of the corpora, their weights, the shape of the batch, the seed and the batch's number:
the one thing to remember of a run is how many batches it has used. It goes on from there on any number of hosts.
"""

import sys
from collections.abc import Sequence

import grain
import numpy as np

from ie_scaling.corpus.tokens import TokenStore
from ie_scaling.errors import InputError

Mixture = Sequence[tuple[TokenStore, float]]


class TokenWindows:
    """Random access to windows of sequence_length + 1 tokens; window i starts where the targets of i − 1 end.

    Documents run on from window to window, each closed by the end token, so that an epoch shows every token once; only
    what does not fill a last window is left out.
    """

    def __init__(self, store: TokenStore, sequence_length: int):
        self._store, self._length = store, sequence_length
        if len(self) < 1:
            raise InputError(f"sequence_length={sequence_length}: longer than the split's {len(store)} tokens")

    def __len__(self) -> int:
        return (len(self._store) - 1) // self._length

    def __getitem__(self, index: int) -> np.ndarray:
        start = index * self._length
        return self._store.read(start, start + self._length + 1).astype(np.int32)


class HostBatches:
    """Random access to one host's own rows of each batch of an endless global sequence of rows."""

    def __init__(self, rows: grain.MapDataset[np.ndarray], batch_size: int, host: int, n_hosts: int):
        self._rows, self._batch_size = rows, batch_size
        self._share = range(host * batch_size // n_hosts, (host + 1) * batch_size // n_hosts)

    def __len__(self) -> int:
        return sys.maxsize // self._batch_size

    def __getitem__(self, index: int) -> np.ndarray:
        first = index * self._batch_size
        rows = (self._rows[first + row] for row in self._share)
        return np.stack([row for row in rows if row is not None])  # Grain's type allows for filters; there is none


def training_batches(
    mixture: Mixture,
    sequence_length: int,
    batch_size: int,
    seed: int,
    start: int = 0,
    host: int = 0,
    n_hosts: int = 1,
) -> grain.DatasetIterator[np.ndarray]:
    """An endless iterator of (batch_size / n_hosts, sequence_length + 1) int32.

    Args:
      mixture: corpora of one tokenizer, each with its share of the rows (to about a percent). Each is shuffled as a
        whole, and anew in each of its own epochs.
      batch_size: rows in the batch of all hosts together; host h has the h-th of n_hosts equal runs of them.
      start: the number of batches used before.
    """
    dataset = training_dataset(mixture, sequence_length, batch_size, seed, host, n_hosts)[start:]
    return iter(dataset.to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=8)))


def training_dataset(
    mixture: Mixture, sequence_length: int, batch_size: int, seed: int, host: int = 0, n_hosts: int = 1
) -> grain.MapDataset[np.ndarray]:
    """Random access to what training_batches iterates over: element g is batch g."""
    _require_mixable(mixture)
    if batch_size % n_hosts:
        raise InputError(f"batch_size={batch_size}: must be a multiple of the {n_hosts} hosts")
    if not 0 <= host < n_hosts:
        raise ValueError(f"host={host}: must be from 0 to {n_hosts - 1}")
    rows = [_shuffled(TokenWindows(store, sequence_length), seed, index) for index, (store, _) in enumerate(mixture)]
    mixed = rows[0] if len(rows) == 1 else grain.MapDataset.mix(rows, [weight for _, weight in mixture])
    return grain.MapDataset.source(HostBatches(mixed, batch_size, host, n_hosts))


def _shuffled(windows: TokenWindows, seed: int, index: int) -> grain.MapDataset[np.ndarray]:
    """Endless epochs of the windows, each in an order of its own; other corpora of a mixture have other orders."""
    own = int(np.random.SeedSequence((seed, index)).generate_state(1)[0]) if index else seed
    return grain.MapDataset.source(windows).seed(own).shuffle().repeat()


def _require_mixable(mixture: Mixture) -> None:
    if not mixture:
        raise InputError("mixture=[]: must name a corpus")
    first = mixture[0][0]
    for store, weight in mixture:
        if not weight > 0:
            raise InputError(f"weight={weight} of {store.directory}: must be above zero")
        if store.tokenizer_sha256 != first.tokenizer_sha256:
            raise InputError(
                f"{store.directory}: its tokenizer is not that of {first.directory}; "
                "prepare both with the same tokenizer.json to mix them"
            )


def evaluation_batches(store: TokenStore, sequence_length: int, batch_size: int, n_tokens: int) -> np.ndarray:
    """Windows spread over the split, (batches, batch, sequence_length + 1), with about n_tokens targets in all.

    Always the same windows, so that the losses of different models are paired.
    """
    windows = TokenWindows(store, sequence_length)
    wanted = min(max(n_tokens // (sequence_length * batch_size), 1), len(windows) // batch_size)
    if wanted < 1:
        raise InputError(f"batch_size={batch_size}: more than the validation split's {len(windows)} windows")
    # Spread over the split, so that a few long documents do not decide the loss.
    chosen = np.linspace(0, len(windows) - 1, wanted * batch_size).astype(int)
    return np.stack([windows[index] for index in chosen]).reshape(wanted, batch_size, sequence_length + 1)
