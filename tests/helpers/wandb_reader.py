"""Reads what wandb wrote offline: a LevelDB log (blocks of 32 KiB) of protobuf records."""

import json
import pathlib
import struct
import time

from wandb.proto import wandb_internal_pb2

FILE_HEADER, BLOCK, CHUNK_HEADER = 7, 32768, struct.Struct("<IHB")  # chunk: checksum, length, part
FULL, LAST = 1, 4


def read_run(folder, seconds=10):
    """Return (history rows, config, run record) of the only wandb run under `folder`/wandb.

    wandb writes on for a moment after `finish` has returned: wait so many seconds for the last record.
    """
    rows, config, run = [], {}, None
    for kind, record in read_records(folder, seconds):
        if kind == "history":
            rows.append(_update({}, record.item))
        elif kind == "run":
            run = record
            _update(config, run.config.update)
        elif kind == "config":
            _update(config, record.update)
    return rows, config, run


def read_records(folder, seconds=10):
    """Return the list of (kind, message) of the only wandb run under `folder`/wandb, see `read_run`."""
    (path,) = pathlib.Path(folder).glob("wandb/*run-*/run-*.wandb")
    deadline = time.monotonic() + seconds
    while "exit" not in [kind for kind, _ in _records(path.read_bytes())]:
        assert time.monotonic() < deadline, f"{path} has no end"
        time.sleep(0.02)
    return list(_records(path.read_bytes()))


def _update(values, items):
    for item in items:
        *path, last = item.nested_key or [item.key]
        place = values
        for key in path:
            place = place.setdefault(key, {})
        place[last] = json.loads(item.value_json)
    return values


def _records(data):
    """Yield (kind, message) of every whole record."""
    assert data[:4] == b":W&B"
    position, parts = FILE_HEADER, b""
    while position + CHUNK_HEADER.size <= len(data):
        if BLOCK - position % BLOCK < CHUNK_HEADER.size:  # a header never spans two blocks
            position += BLOCK - position % BLOCK
            continue
        _, length, part = CHUNK_HEADER.unpack_from(data, position)
        position += CHUNK_HEADER.size + length
        if position > len(data):
            return
        parts += data[position - length : position]
        if part in (FULL, LAST):
            record = wandb_internal_pb2.Record.FromString(parts)
            kind = record.WhichOneof("record_type")
            yield kind, getattr(record, kind)
            parts = b""
