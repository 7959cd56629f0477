"""How glibc keeps freed memory. Its defaults suit neither training nor a server.

The settings hold for the whole process, so only commands make them, never a function of the library.
"""

import ctypes

SMALL_BLOCK = 1 << 23  # bytes; Pillow decodes large pictures into blocks of twice as much


def keep_freed(largest: int | None = None) -> None:
    """Let glibc keep freed blocks for the next step instead of mapping every large tensor anew, from here on.

    Without it, a training step of a convolutional network spends a fifth of its time in page faults, and a
    prediction of 512 images more than half. Does nothing without glibc.

    Args:
        largest: bytes of the largest block to keep, at most 32 MiB, for a process that must not grow by what its
            users send; by default any, and no memory goes back to the system.
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallopt"):
        return
    if largest is None:
        libc.mallopt(-4, 0)  # M_MMAP_MAX: no block is mapped on its own
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD: nothing goes back
    else:
        libc.mallopt(-3, largest)  # M_MMAP_THRESHOLD: larger blocks are mapped, and go back at once
        libc.mallopt(-1, 4 * largest)  # M_TRIM_THRESHOLD: freed memory at the end beyond that goes back
