"""The log: one line per event on standard error, for people or for programs.

Modules log to the logger `fer_keras`. Values of an event for programs are passed as `extra={"values": {...}}`.
"""

import atexit
import datetime
import json
import logging
import os
import sys
import threading
from typing import TextIO

from fer_keras.core.files import printable

LOG = logging.getLogger("fer_keras")


class Stderr(logging.StreamHandler[TextIO]):
    """Writes to the current `sys.stderr`: a progress bar replaces it while it is shown."""

    def __init__(self, formatter: logging.Formatter) -> None:
        logging.Handler.__init__(self)
        self.setFormatter(formatter)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


class Lines(logging.Formatter):
    """The message as one line, followed by the traceback if the event has one."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return printable(" ".join(record.message.splitlines()))


class JsonLines(logging.Formatter):
    """One JSON object per line: `time` (ISO 8601, UTC), `level`, `message`, the event's values, `traceback`."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(timespec="milliseconds")
        event = {"time": time, "level": record.levelname.lower(), "message": record.getMessage()}
        event |= getattr(record, "values", {})
        if record.exc_info:
            event["traceback"] = self.formatException(record.exc_info)
        return json.dumps(event, default=str)


def start(level: int = logging.INFO, *, as_json: bool = False) -> None:
    """Show events of `level` and above, and warnings of other packages. Replaces an earlier call.

    Args:
        level: `logging.DEBUG`, `logging.INFO` or `logging.WARNING`.
        as_json: write `JsonLines` instead of plain lines, for Python's warnings too and, except on Windows, for
            what C libraries write to standard error.
    """
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, Stderr):
            root.removeHandler(handler)
    root.addHandler(Stderr(JsonLines() if as_json else Lines()))
    logging.getLogger("fer_keras").setLevel(level)
    logging.captureWarnings(as_json)
    if as_json and os.name == "posix" and sys.stderr is sys.__stderr__:
        _log_descriptor()


def _log_descriptor() -> None:
    """Log what is written to file descriptor 2 itself, as C libraries do; `sys.stderr` moves to a copy of it.

    The pipe never blocks its writers: output that exceeds its buffer (64 KiB on Linux) at once is lost.
    """
    kept = os.dup(2)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    os.dup2(writing, 2)
    os.close(writing)
    sys.stderr = open(kept, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    thread = threading.Thread(target=_log_lines, args=(reading,), daemon=True)
    thread.start()

    def restore() -> None:
        os.dup2(kept, 2)  # closes the pipe, which ends the thread
        thread.join(timeout=1)

    atexit.register(restore)


def _log_lines(descriptor: int) -> None:
    with open(descriptor, encoding="utf-8", errors="backslashreplace") as lines:
        for line in lines:
            LOG.warning(line.rstrip(), extra={"values": {"source": "standard error"}})


def as_json() -> bool:
    """Return whether events are written as JSON."""
    handlers = logging.getLogger().handlers
    return any(isinstance(handler, Stderr) and isinstance(handler.formatter, JsonLines) for handler in handlers)
