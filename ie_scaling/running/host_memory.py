"""glibc malloc settings that let XLA's buffers be reused, not returned to the system after every training step."""

import ctypes
import platform

_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8  # of malloc.h's mallopt
_NEVER = -1


def keep_freed_blocks() -> bool:
    """Let one arena serve all threads and keep its memory; to be called before JAX starts its threads.

    XLA on CPU asks for the activations' memory anew at every step, and the system clears each page again before it
    gives it: about an eighth of a step's time at d_model 256. Whether it could be arranged (glibc alone).
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all([mallopt(_ARENA_MAX, 1), mallopt(_MMAP_MAX, 0), mallopt(_TRIM_THRESHOLD, _NEVER)])
