"""Detects the format of a face set by its content, and reads it."""

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fer_keras.core.errors import InputError
from fer_keras.data import folders, listings, parquet, sources, tables, votes
from fer_keras.data.labels import HOW
from fer_keras.data.reading import Options, Reading, Rows

LOOKED_FOR = (
    "a CSV with the columns emotion, pixels, Usage; train.csv (emotion, pixels) with test.csv (pixels); "
    "image folders train|test/EMOTION/*.jpg or png; the lists of RAF-DB, AffectNet and ExpW; JAFFE; parquet with "
    "image and label columns; a .zip or .tar.gz of any of these"
)


@dataclasses.dataclass(frozen=True)
class Format:
    """A recognized data set: its source, its reader's input, the files to read, its FER+ table or None."""

    source: sources.Source
    parts: Any
    reader: Callable[[sources.Source, Any, Reading], Rows]
    names: list[str]
    reading: Reading
    votes: str | None = None

    def files(self) -> sources.Folder:
        """Return the files on disk that determine the data, as a source: the archive, or each part."""
        if isinstance(self.source, sources.Folder):
            return sources.Folder(self.source.path, dict.fromkeys([*self.names, *filter(None, [self.votes])]))
        return sources.single(self.source.path)

    def size(self) -> int:
        """Return the number of bytes to read."""
        return sum(self.source.sizes[name] for name in self.names)

    def read(self, advance: Callable[[int], None]) -> tuple[Rows, np.ndarray | None]:
        """Return the rows of the requested classes, and the FER+ table or None."""
        self.reading.advance = advance
        rows = self.reader(self.source, self.parts, self.reading)
        if self.votes is None:
            return rows, None
        for name, file in self.source.stream([self.votes]):
            return rows, votes.read_table(file, sources.whole_path(self.source, name))
        raise InputError(f"{self.source.path} has lost {self.votes}.")


def recognize(source: sources.Source, options: Options) -> Format:
    """Return the one data set in `source`.

    Raises:
        InputError: if there is none, or several.
    """
    reading = Reading(options, source.skipped)
    heads = sources.heads(source)
    headers = {name: tables.columns(head) for name, head in heads.items()}
    ballot = votes.find(headers)
    found: dict[Callable, tuple[Any, list[str]]] = {}
    if parts := tables.find(source, headers, reading):
        found[tables.read] = parts, list(parts)
    pictures, lists = listings.find(source, heads, reading)
    if pictures := pictures or folders.find(source, heads, reading):
        found[folders.read] = pictures, [*lists, *dict.fromkeys(picture.name for picture in pictures)]
    if shards := parquet.find(source, heads):
        found[parquet.read] = shards, list(shards)
    if len(found) > 1:
        examples = ", ".join(names[0] for _, names in found.values())
        raise InputError(
            f"{source.path} holds several data sets in different formats: {examples}. Give one of them."
        )
    archives = {name: kind for name, head in heads.items() if (kind := sources.archive_class(head))}
    for reader, (parts, names) in found.items():
        if archives:
            reading.notes.append(f"Read the unpacked files; not read: {', '.join(archives)}.")
        return Format(source, parts, reader, names, reading, ballot)
    if len(archives) > 1:
        raise InputError(
            f"{source.path} holds {len(archives)} archives: {', '.join(archives)}. Give one, or unpack them."
        )
    for name, kind in archives.items():
        if not isinstance(source, sources.Folder):
            raise InputError(f"{source.path} holds the archive {name}. Unpack it, and give the folder or {name}.")
        return recognize(kind(source.path / name), options)
    raise InputError(
        f"No face data set in {source.path}. {_hint(source)}Found {_contents(source, heads, headers)}."
    )


def _hint(source: sources.Source) -> str:
    pictures = sum(map(sources.is_picture, source.sizes))
    if pictures:
        return f"No folder of its {pictures:,} pictures is named like an emotion. {HOW} "
    return f"Looked for {LOOKED_FOR}. "


def _contents(source: sources.Source, heads: Mapping[str, bytes], headers: Mapping[str, tuple[str, ...]]) -> str:
    names = list(source.sizes)
    described = [_describe(name, heads.get(name), headers.get(name)) for name in names[:5]]
    more = f" and {len(names) - 5:,} files more" if len(names) > 5 else ""
    return ", ".join(described) + more if described else "no files"


def _describe(name: str, head: bytes | None, header: tuple[str, ...] | None) -> str:
    if head == b"":
        return f"{name} (empty)"
    if any(re.fullmatch(r"[\d\s]{100,}", column) for column in header or ()):
        return f"{name} (no header; line 1 must be emotion,pixels,Usage)"
    if header and (len(header) > 1 or set(header) & {"emotion", "pixels", "usage"}):
        return f"{name} (line 1 has the columns {', '.join(header)[:60]})"
    return name
