"""Files to read from: a folder, a zip or a tar archive, each with `sizes` and `stream`.

Archives are read in place and never unpacked to disk.
"""

import bz2
import contextlib
import gzip
import io
import lzma
import os
import pathlib
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Generator, Iterable, Iterator
from typing import IO, Any, BinaryIO, NoReturn

from fer_keras.core.errors import InputError, first_line
from fer_keras.data.skipped import Skipped

MOST_FILES = 2_000_000  # AffectNet has 290,000 images with four files of annotations each
MOST_BYTES = 4 << 30  # in an archive
LARGEST_FILE = 32 << 30  # on disk
LARGEST_READ = 32 << 20  # bytes at once from an archive: a tar header can claim any size
XZ_MEMORY = 256 << 20  # the largest dictionary of `xz -9` needs 65 MiB
HEAD = 4096
PICTURES = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".pgm", ".ppm", ".pnm", ".tif", ".tiff", ".webp",
)  # fmt: skip
UNREAD_PICTURES = (".heic", ".heif", ".hif", ".avif", ".jp2", ".jxl", ".psd", ".raw", ".dng", ".tga")
# The first bytes of PNG, JPEG, GIF, TIFF and WebP; no other files begin so.
PICTURE_START = re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|II\*\0|MM\0\*|RIFF....WEBP", re.S)
UNREAD_START = re.compile(rb"....ftyp(?:avi[fs]|hei[cmsx]|hev[cmsx]|mif1|msf1)", re.S)


class Folder:
    """Files on disk: all below a folder, or only those in `names`."""

    def __init__(self, path: str | os.PathLike, names: Iterable[str] | None = None) -> None:
        self.path = pathlib.Path(path)
        self.skipped = Skipped()
        names = walk(self.path, self.skipped) if names is None else names
        self.sizes = {name: (self.path / name).stat().st_size for name in names}

    def stream(self, names: Iterable[str]) -> Generator[tuple[str, IO[bytes]]]:
        """Yield each of `names` with its open binary file, in the cheapest order for this source."""
        for name in names:
            if not self.sizes[name]:  # files such as those in /proc have no size and may be endless
                yield name, io.BytesIO()
                continue
            if self.sizes[name] > LARGEST_FILE:
                raise InputError(
                    f"{self.path / name} is larger than {LARGEST_FILE >> 30} GiB. It is not a data set."
                )
            with open_file(self.path / name) as file:
                yield name, file


class Zip:
    """The files of a zip archive."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = pathlib.Path(path)
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
        if any(info.flag_bits & 1 for info in infos):
            raise InputError(f"{path} is encrypted. Unpack it with its password and give the folder.")
        links = [info.filename for info in infos if stat.S_ISLNK(info.external_attr >> 16)]
        if links:
            raise InputError(
                f"{path} holds {links[0]!r}, which is a link. Pack the data set again as plain files."
            )
        self.skipped = Skipped()
        self.sizes = checked(path, ((info.filename, info.file_size) for info in infos), self.skipped)
        self.infos = {normal_name(info.filename): info for info in infos}

    def stream(self, names: Iterable[str]) -> Generator[tuple[str, IO[bytes]]]:
        """Yield each of `names` with its open binary file."""
        with zipfile.ZipFile(self.path) as archive:
            for name in names:
                with archive.open(self.infos[name]) as file:
                    yield name, file


class Tar:
    """The files of a tar archive, compressed or not, always read sequentially: gzip cannot seek backwards."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = pathlib.Path(path)
        self.skipped = Skipped()
        with open_tar(path) as archive:
            self.sizes = checked(path, ((m.name, m.size) for m in archive if is_file(path, m)), self.skipped)

    def stream(self, names: Iterable[str]) -> Generator[tuple[str, IO[bytes]]]:
        """Yield those of `names` with their open binary files, in the order of the archive."""
        wanted = set(names)
        with open_tar(self.path) as archive:
            for member in archive:
                if member.isreg() and (name := normal_name(member.name)) in wanted:
                    content = archive.extractfile(member)
                    assert content is not None, "only links and folders have no content"
                    with content as file:
                        yield name, file


Source = Folder | Zip | Tar


class Forward(io.RawIOBase):
    """A binary file that is read sequentially, at most `LARGEST_READ` bytes at once.

    `tarfile` reads a long name or a pax header at once, and the archive declares their size.
    """

    def __init__(self, file: BinaryIO, path: pathlib.Path) -> None:
        self.file, self.path, self.position = file, path, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= LARGEST_READ:
            raise InputError(
                f"{self.path} holds a header of more than {LARGEST_READ >> 20} MiB. It is not safe to read."
            )
        parts = []
        while size and (part := self.file.read(size)):
            parts.append(part)
            size -= len(part)
        self.position += sum(map(len, parts))
        return b"".join(parts)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence != os.SEEK_SET or offset < self.position:
            raise io.UnsupportedOperation("a compressed archive is read front to back")
        while self.position < offset and self.read(min(offset - self.position, 1 << 20)):
            pass
        return self.position


class Xz(io.RawIOBase):
    """The content of an xz file, with limited memory for its dictionary."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.decoder = file, lzma.LZMADecompressor(memlimit=XZ_MEMORY)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while True:
            if self.decoder.eof:
                rest = self.decoder.unused_data or self.file.read(1 << 16)
                if not rest.lstrip(b"\0"):
                    return b""
                self.decoder = lzma.LZMADecompressor(memlimit=XZ_MEMORY)
            else:
                rest = self.file.read(1 << 16) if self.decoder.needs_input else b""
                if not rest and self.decoder.needs_input:
                    raise EOFError("the compressed file ended early")
            if data := self.decoder.decompress(rest, size):
                return data


@contextlib.contextmanager
def open_tar(path: pathlib.Path) -> Iterator[tarfile.TarFile]:
    """Yield the `TarFile` at `path`, read sequentially with bounded memory."""
    with open_file(path) as packed:
        file: Any = packed
        head = packed.peek(6)[:6]
        if head.startswith(b"\x1f\x8b"):
            file = gzip.GzipFile(fileobj=file)
        elif head.startswith(b"BZh"):
            file = bz2.BZ2File(file)
        elif head.startswith(b"\xfd7zXZ"):
            file = Xz(file)
        with tarfile.open(fileobj=Forward(file, path), mode="r:") as archive:
            yield archive


def open_file(path: str | os.PathLike) -> io.BufferedReader:
    """Return the regular file at `path`, open for reading; pipes and devices are refused without waiting."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise InputError(f"{path} is not a regular file. Give a file or a folder.")
    return open(handle, "rb")


def open_source(path: pathlib.Path) -> Source:
    """Return the `Folder`, `Zip` or `Tar` at `path` by its content; any other file is a folder of one."""
    if path.is_dir():
        return Folder(path)
    kind = archive_kind(path)
    return kind(path) if kind else single(path)


def single(path: pathlib.Path) -> Folder:
    """Return the file at `path`, of any kind, as a source of one file."""
    return Folder(path.parent, [path.name])


def archive_kind(path: pathlib.Path) -> type[Zip] | type[Tar] | None:
    """Return the class that reads the archive at `path`, or None if it is not an archive."""
    if not path.stat().st_size:
        return None
    with open_file(path) as file:
        return archive_class(file.read(HEAD))


def archive_class(head: bytes) -> type[Zip] | type[Tar] | None:
    """Return the class that reads the archive with these first bytes, or None if it is not an archive."""
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return Zip
    packed = head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ"))
    return Tar if packed or head[257:262] == b"ustar" else None


def heads(source: Source) -> dict[str, bytes]:
    """Return the first bytes of every file of `source` without a picture's suffix."""
    names = [name for name in source.sizes if not is_picture(name)]
    return {name: file.read(HEAD) for name, file in source.stream(names)}


def is_picture(name: str) -> bool:
    """Return whether `name` has the suffix of an image format that is read."""
    return name.lower().endswith(PICTURES)


def is_unread_picture(name: str, head: bytes) -> bool:
    """Return whether a file is an image of a format that is not read, by its first bytes or suffix."""
    return bool(UNREAD_START.match(head)) or name.lower().endswith(UNREAD_PICTURES)


def whole_path(source: Source, name: object) -> str:
    """Return the full path of a file of `source`, for messages."""
    return str(source.path / str(name))


def walk(folder: pathlib.Path, skipped: Skipped) -> list[str]:
    """Return the names of the regular files below `folder`, links followed, in alphabetical order.

    Raises:
        InputError: if a link leads to a folder that is already read, which would repeat its images or never end;
            or if there are too many files.
    """
    names: list[str] = []
    seen: dict[tuple[int, int], str] = {}
    for base, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        status = os.stat(base)
        place = (status.st_dev, status.st_ino)
        if place in seen and status.st_ino:
            raise InputError(
                f"{base} and {seen[place]} are the same folder, by a link. Remove the link, or give one of them."
            )
        seen[place] = base
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        inside = pathlib.Path(base).relative_to(folder)
        for name in sorted(files):
            path = (inside / name).as_posix()
            if is_hidden(name):
                note_hidden(name, folder / path, skipped)
            elif os.path.isfile(os.path.join(base, name)):
                names.append(path)
            elif name.lower().endswith(PICTURES):
                skipped.add("a broken link or not a regular file", folder / path)
        if len(names) > MOST_FILES:
            raise InputError(
                f"{folder} holds more than {MOST_FILES:,} files. Give the folder of the data set itself."
            )
    return names


def refuse(error: OSError) -> NoReturn:
    raise error


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is hidden, or added to archives by the operating system."""
    return name.startswith(".") or name == "__MACOSX"


def note_hidden(name: str, path: object, skipped: Skipped) -> None:
    if name.lower().endswith(PICTURES) and not name.startswith("._"):  # macOS stores metadata in "._NAME"
        skipped.add("hidden file", path)


def checked(path: pathlib.Path, members: Iterable[tuple[str, int]], skipped: Skipped) -> dict[str, int]:
    """Return `{name: size}` of an archive's members, in name order, or refuse it."""
    sizes: dict[str, int] = {}
    total = 0
    for name, size in members:
        parts = name.replace("\\", "/").split("/")
        if parts[0] == "" or ".." in parts or ":" in parts[0]:
            raise InputError(f"{path} holds {name!r}, a path outside the archive. It is not safe to read.")
        total += size
        if len(sizes) >= MOST_FILES or total > MOST_BYTES:
            raise InputError(
                f"{path} holds more than {MOST_FILES:,} files or {MOST_BYTES >> 30} GiB. FER-2013 needs 35,887 "
                "files or 0.3 GiB: give an archive of the data set alone."
            )
        if any(is_hidden(part) for part in parts if part != "."):
            note_hidden(parts[-1] if "__MACOSX" not in parts else "", f"{path}/{name}", skipped)
        elif normal_name(name) in sizes:
            raise InputError(f"{path} holds {name!r} twice. Pack the data set again.")
        else:
            sizes[normal_name(name)] = size
    return dict(sorted(sizes.items()))


def normal_name(name: str) -> str:
    """Return a file name in an archive as a relative path on disk: "./train/x" is "train/x"."""
    return pathlib.PurePosixPath(name.replace("\\", "/")).as_posix()


def is_file(path: pathlib.Path, member: tarfile.TarInfo) -> bool:
    """Return whether a member is a plain file; links and devices are refused."""
    if member.issym() or member.islnk() or member.isdev():
        raise InputError(
            f"{path} holds {member.name!r}, which is a link or a device, not a file. Pack the data set again "
            "as plain files."
        )
    return member.isreg()


@contextlib.contextmanager
def reading(path: object) -> Iterator[None]:
    """Within the block, convert errors in reading the user's files at `path` to `InputError`."""
    try:
        yield
    except (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else first_line(error)
        where = getattr(error, "filename", None) or path
        raise InputError(
            f"Cannot read {where}: {reason}. Check that it is whole and that you may read it."
        ) from error
    except NotImplementedError as error:
        raise InputError(f"Cannot read {path}: {error}. Unpack it and give the folder.") from error
