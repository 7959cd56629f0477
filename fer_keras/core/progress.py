"""Progress bars on standard error, only on a terminal and not with JSON logs."""

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from fer_keras.core import logs

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn


def progress(*columns: "str | ProgressColumn", show: bool = True) -> "Progress":
    """Return rich's `Progress`; as a context it shows its bars, and removes them at the end.

    Meanwhile, log lines and other output to `sys.stderr` appear above it.

    Args:
        columns: replace rich's default columns.
        show: whether to show it on a terminal.
    """
    from rich.console import Console
    from rich.progress import Progress

    console = Console(file=sys.stderr, soft_wrap=True)
    shown = console.is_terminal and logging.getLogger("fer_keras").isEnabledFor(logging.INFO)
    hidden = not (show and shown) or logs.as_json()
    return Progress(*columns, console=console, transient=True, disable=hidden)


@contextlib.contextmanager
def bar(title: str, total: float, *, show: bool = True) -> Iterator[Callable[[float], None]]:
    """Show one bar; yield a function to call with each amount of `total` that is done."""
    with progress(show=show) as shown:
        task = shown.add_task(title, total=total)
        yield lambda amount: shown.advance(task, amount)
