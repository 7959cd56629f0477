"""How glibc keeps freed memory. Its defaults suit neither training nor a server.

The settings affect the whole process, so only the commands change them, never a library function.
"""

import ctypes

SMALL_BLOCK = 1 << 23  # bytes; Pillow decodes large images into blocks twice that size


def keep_freed(largest: int | None = None) -> None:
    """Make glibc keep freed blocks for reuse instead of mapping memory for every large tensor.

    Without it, a training step of a convolutional network spends a fifth of its time in page faults and a
    prediction on 512 images more than half. Without glibc this does nothing.

    Args:
        largest: size in bytes of the largest block to keep, at most 32 MiB, for a server whose memory must not
            grow with its users' input. Default: all blocks, and no memory is returned to the system.
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallopt"):
        return
    if largest is None:
        libc.mallopt(-4, 0)  # M_MMAP_MAX: no block is mapped on its own
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD: nothing is returned
    else:
        libc.mallopt(-3, largest)  # M_MMAP_THRESHOLD: larger blocks are mapped and returned when freed
        libc.mallopt(-1, 4 * largest)  # M_TRIM_THRESHOLD: more free memory at the end of the heap is returned
