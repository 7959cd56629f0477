"""Progress bars on standard error: on a terminal only, and not among lines of JSON."""

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

    While it is shown, log lines and what is written to `sys.stderr` appear above it.

    Args:
        columns: of rich, in place of its own.
        show: whether to show it where it can be shown.
    """
    from rich.console import Console
    from rich.progress import Progress

    console = Console(file=sys.stderr, soft_wrap=True)
    shown = console.is_terminal and logging.getLogger("fer_keras").isEnabledFor(logging.INFO)
    hidden = not (show and shown) or logs.as_json()
    return Progress(*columns, console=console, transient=True, disable=hidden)


@contextlib.contextmanager
def bar(title: str, total: float, *, show: bool = True) -> Iterator[Callable[[float], None]]:
    """Show one bar; yield a function that is called with each further amount of `total`."""
    with progress(show=show) as shown:
        task = shown.add_task(title, total=total)
        yield lambda amount: shown.advance(task, amount)
