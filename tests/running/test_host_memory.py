"""glibc's settings are asked for where there is glibc, and nowhere else."""

import ctypes
import platform
import types

from ie_scaling.running import host_memory


def test_freed_blocks_are_kept_with_glibc_alone(monkeypatch):
    calls = []
    library = types.SimpleNamespace(mallopt=lambda *arguments: calls.append(arguments) or 1)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    monkeypatch.setattr(platform, "libc_ver", lambda: ("musl", "1.2"))
    assert not host_memory.keep_freed_blocks()
    assert calls == []
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.36"))
    assert host_memory.keep_freed_blocks()
    assert calls == [(-8, 1), (-4, 0), (-1, -1)]  # M_ARENA_MAX, M_MMAP_MAX, M_TRIM_THRESHOLD of malloc.h
