"""Work in steps: other work can be done between two of them."""

from collections.abc import Generator
from typing import TypeAlias, TypeVar

T = TypeVar("T")
Steps: TypeAlias = Generator[None, None, T]  # yields after each step, a few milliseconds, and returns the result


def finish(steps: Steps[T]) -> T:
    """Do all steps and return the result."""
    while not (result := advance(steps, 1 << 10)):
        pass
    return result[0]


def advance(steps: Steps[T], count: int) -> tuple[T] | None:
    """Do up to `count` steps. Return (result,), or None if steps are left."""
    try:
        for _ in range(count):
            next(steps)
    except StopIteration as end:
        return (end.value,)
    return None
