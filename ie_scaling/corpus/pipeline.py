"""Batches of token windows: a seeded Grain pipeline for training, fixed windows for evaluation."""

import grain
import numpy as np


class TokenWindows:
    """Random access to windows of sequence_length + 1 tokens; window i starts where the targets of i − 1 end."""

    def __init__(self, token_ids: np.ndarray, sequence_length: int):
        self._token_ids, self._length = token_ids, sequence_length
        if len(self) < 1:
            raise ValueError(f"sequence_length={sequence_length}: longer than the split's {len(token_ids)} tokens")

    def __len__(self) -> int:
        return (len(self._token_ids) - 1) // self._length

    def __getitem__(self, index: int) -> np.ndarray:
        start = index * self._length
        return self._token_ids[start : start + self._length + 1].astype(np.int32)


def training_batches(
    token_ids: np.ndarray, sequence_length: int, batch_size: int, seed: int
) -> grain.DatasetIterator[np.ndarray]:
    """An endless iterator of (batch, sequence_length + 1) int32, shuffled anew each epoch; a function of the seed.

    `get_state` and `set_state` resume it exactly.
    """
    dataset = grain.MapDataset.source(TokenWindows(token_ids, sequence_length))
    dataset = dataset.seed(seed).shuffle().repeat().batch(batch_size, drop_remainder=True)
    return iter(dataset.to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=8)))


def evaluation_batches(token_ids: np.ndarray, sequence_length: int, batch_size: int, n_tokens: int) -> np.ndarray:
    """The first windows of the split, (batches, batch, sequence_length + 1), with about n_tokens targets in all.

    Always the same windows, so that the losses of different models are paired.
    """
    windows = TokenWindows(token_ids, sequence_length)
    wanted = min(max(n_tokens // (sequence_length * batch_size), 1), len(windows) // batch_size)
    if wanted < 1:
        raise ValueError(f"batch_size={batch_size}: more than the validation split's {len(windows)} windows")
    # Spread over the split, so that a few long documents do not decide the loss.
    chosen = np.linspace(0, len(windows) - 1, wanted * batch_size).astype(int)
    return np.stack([windows[index] for index in chosen]).reshape(wanted, batch_size, sequence_length + 1)
