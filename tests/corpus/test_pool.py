"""Work over processes."""

import os

import pytest

from ie_scaling.corpus import pool


def leave(status):
    os._exit(status)


def test_each_item_is_answered_once_under_its_place():
    assert sorted(pool.unordered_map(abs, [-3, -1, -2], 2)) == [(0, 3), (1, 1), (2, 2)]


def test_a_worker_that_dies_is_one_clear_line():
    with pytest.raises(OSError, match="a worker process died"):
        list(pool.unordered_map(leave, [3], 1))


def test_threads_of_the_tokenizers_are_set_back(monkeypatch):
    monkeypatch.setenv(pool.THREADS, "before")
    with pool.tokenizer_threads(False):
        assert os.environ[pool.THREADS] == "false"
    assert os.environ[pool.THREADS] == "before"
    monkeypatch.delenv(pool.THREADS)
    with pool.tokenizer_threads(True):
        assert os.environ[pool.THREADS] == "true"
    assert pool.THREADS not in os.environ
