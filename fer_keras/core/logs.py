"""What the package tells while it works: one line for each event on standard error, for people or for programs.

Modules log to the logger `fer_keras`. Values of an event that a program may want go along as
`extra={"values": {...}}`.
"""

import datetime
import json
import logging
import sys


class Stderr(logging.StreamHandler):
    """Writes to what `sys.stderr` is at the time: a progress bar replaces it for as long as it is shown."""

    def __init__(self, formatter):
        logging.Handler.__init__(self)
        self.setFormatter(formatter)

    @property
    def stream(self):
        return sys.stderr


class Lines(logging.Formatter):
    """The message as one line; after that, of an error in the program, its traceback."""

    def formatMessage(self, record):
        return " ".join(record.message.splitlines())


class JsonLines(logging.Formatter):
    """A JSON object on a line: `time` (ISO 8601, UTC), `level`, `message`, the event's own values, `traceback`."""

    def format(self, record):
        time = datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(timespec="milliseconds")
        event = {"time": time, "level": record.levelname.lower(), "message": record.getMessage()}
        event |= getattr(record, "values", {})
        if record.exc_info:
            event["traceback"] = self.formatException(record.exc_info)
        return json.dumps(event, default=str)


def start(level=logging.INFO, *, as_json=False):
    """Show events of `level` and above, those of other packages from warnings on; in the place of an earlier call.

    Args:
        level: `logging.DEBUG`, `logging.INFO` or `logging.WARNING`.
        as_json: write `JsonLines`, Python's warnings among them, instead of plain lines.
    """
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, Stderr):
            root.removeHandler(handler)
    root.addHandler(Stderr(JsonLines() if as_json else Lines()))
    logging.getLogger("fer_keras").setLevel(level)
    logging.captureWarnings(as_json)


def as_json():
    """Return whether events are written as JSON."""
    handlers = logging.getLogger().handlers
    return any(isinstance(handler, Stderr) and isinstance(handler.formatter, JsonLines) for handler in handlers)
