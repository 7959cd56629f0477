"""Which of the forms of FER-2013 a source holds, told by content, and reading it."""

import dataclasses
from collections.abc import Callable

from fer_keras.core.errors import InputError
from fer_keras.data import folders, parquet, sources, tables, votes

LOOKED_FOR = (
    "a CSV with the columns emotion, pixels, Usage; train.csv (emotion, pixels) with test.csv (pixels); "
    "image folders train|test/EMOTION/*.jpg or png; parquet with image and label columns; "
    "a .zip or .tar.gz of any of these"
)


@dataclasses.dataclass(frozen=True)
class Form:
    """A recognised data set: where it is, `{file: what its reader needs}`, its reader, its FER+ table or None."""

    source: object
    parts: dict
    reader: Callable
    votes: str | None = None

    def files(self):
        """Return the files on disk that decide what is read, as a source: the archive, or each part."""
        if isinstance(self.source, sources.Folder):
            return sources.Folder(self.source.path, [*self.parts, *filter(None, [self.votes])])
        return sources.single(self.source.path)

    def size(self):
        """Return the number of bytes to read."""
        return sum(self.source.sizes[name] for name in self.parts)

    def read(self, advance):
        """Return images, labels, usages and the FER+ table (or None)."""
        arrays = self.reader(self.source, self.parts, advance)
        if self.votes is None:
            return *arrays, None
        for name, file in self.source.stream([self.votes]):
            return *arrays, votes.read_table(file, sources.whole_path(self.source, name))


def recognise(source):
    """Return the best `Form` that `source` holds: the one that tells most comes first."""
    heads = sources.heads(source)
    headers = {name: tables.columns(head) for name, head in heads.items()}
    ballot = votes.find(headers)
    if parts := tables.find_whole(headers) or tables.find_parts(headers):
        return Form(source, parts, tables.read, ballot)
    if parts := folders.find(source):
        return Form(source, parts, folders.read, ballot)
    if parts := parquet.find(heads):
        return Form(source, parts, parquet.read, ballot)
    if isinstance(source, sources.Folder):
        for name in heads:
            if kind := sources.archive_kind(source.path / name):
                return recognise(kind(source.path / name))
    raise InputError(
        f"No FER-2013 in {source.path}. Looked for {LOOKED_FOR}. Found {found(source, heads, headers)}."
    )


def found(source, heads, headers):
    names = list(source.sizes)
    told = [tell(name, heads.get(name), headers.get(name)) for name in names[:5]]
    more = f" and {len(names) - 5:,} files more" if len(names) > 5 else ""
    return ", ".join(told) + more if told else "no files"


def tell(name, head, header):
    if head == b"":
        return f"{name} (empty)"
    if header and set(header) & {"emotion", "pixels", "usage"}:
        return f"{name} (line 1 has the columns {', '.join(header)[:60]})"
    return name
