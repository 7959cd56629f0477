"""A sweep's journal file: Optuna's, but safe against killed processes and full disks."""

import json
import os
import pathlib
from io import RawIOBase
from typing import Any

import filelock
from optuna.storages.journal import JournalFileBackend

from fer_keras.core.errors import InputError
from fer_keras.core.files import StrPath


class Journal(JournalFileBackend):
    """Optuna's journal file of JSON lines; an incomplete last line is removed before the next write.

    Writers take turns through `lock`, which ends with its process. Optuna's own locks stay after a kill.

    Args:
        path: of the file, created if it does not exist.

    Raises:
        InputError: if a complete line of the file is not a JSON object.
    """

    def __init__(self, path: StrPath) -> None:
        self.path = pathlib.Path(path)
        self.lock = filelock.FileLock(self.path.with_name(f".{self.path.name}.lock"))
        super().__init__(str(path))
        self.append_logs([])
        for number, line in enumerate(self.path.read_bytes().splitlines(), 1):
            try:
                whole = isinstance(json.loads(line), dict)
            except (ValueError, RecursionError):
                whole = False
            if not whole:
                raise InputError(
                    f"{path} line {number} is damaged: expected a JSON object. Remove the file to begin "
                    "the sweep anew."
                )

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append `logs` to the complete lines, all of them or none."""
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
        with self.lock, open(self.path, "r+b", buffering=0) as file:
            end = _end_of_lines(file)
            file.truncate(end)
            file.seek(end)
            try:
                while lines:
                    lines = lines[file.write(lines) :]
                os.fsync(file.fileno())
            except OSError:
                file.truncate(end)
                raise


def _end_of_lines(file: RawIOBase, block: int = 1 << 16) -> int:
    """Return the size in bytes of the complete lines of `file`."""
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        start = max(end - block, 0)
        file.seek(start)
        place = file.read(end - start).rfind(b"\n")
        if place >= 0:
            return start + place + 1
        end = start
    return 0
