"""The log: one line for each event on standard error, for people or for programs.

Modules log to the logger `fer_keras`. Values of an event for programs are passed as `extra={"values": {...}}`.
"""

import datetime
import json
import logging
import sys
from typing import TextIO


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
        return " ".join(record.message.splitlines())


class JsonLines(logging.Formatter):
    """A JSON object on a line: `time` (ISO 8601, UTC), `level`, `message`, the event's own values, `traceback`."""

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
        as_json: write `JsonLines` instead of plain lines, for Python's warnings too.
    """
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, Stderr):
            root.removeHandler(handler)
    root.addHandler(Stderr(JsonLines() if as_json else Lines()))
    logging.getLogger("fer_keras").setLevel(level)
    logging.captureWarnings(as_json)


def as_json() -> bool:
    """Return whether events are written as JSON."""
    handlers = logging.getLogger().handlers
    return any(isinstance(handler, Stderr) and isinstance(handler.formatter, JsonLines) for handler in handlers)
