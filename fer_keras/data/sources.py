"""Files to read from: a folder, a zip or a tar archive behind the same two things, `sizes` and `stream`.

Archives are read in place and never unpacked, so nothing of theirs reaches the disk.
"""

import contextlib
import lzma
import os
import pathlib
import tarfile
import zipfile
import zlib

from fer_keras.core.errors import InputError

MOST_FILES = 200_000
MOST_BYTES = 4 << 30
HEAD = 4096
PICTURES = (".jpg", ".jpeg", ".png")


class Folder:
    """Files on disk: all below a folder, or only those in `names`."""

    def __init__(self, path, names=None):
        self.path = pathlib.Path(path)
        names = walk(self.path) if names is None else names
        self.sizes = {name: (self.path / name).stat().st_size for name in names}

    def stream(self, names):
        """Yield each of `names` with its open binary file, in the cheapest order for this source."""
        for name in names:
            with open(self.path / name, "rb") as file:
                yield name, file


class Zip:
    """The files of a zip archive."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
        if any(info.flag_bits & 1 for info in infos):
            raise InputError(f"{path} is encrypted. Unpack it with its password and give the folder.")
        self.sizes = checked(path, ((info.filename, info.file_size) for info in infos))
        self.infos = {clean(info.filename): info for info in infos}

    def stream(self, names):
        with zipfile.ZipFile(self.path) as archive:
            for name in names:
                with archive.open(self.infos[name]) as file:
                    yield name, file


class Tar:
    """The files of a tar archive, compressed or not, always read front to back: gzip cannot step backwards."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        with tarfile.open(path) as archive:
            self.sizes = checked(path, ((m.name, m.size) for m in archive if plain(path, m)))

    def stream(self, names):
        wanted = set(names)
        with tarfile.open(self.path) as archive:
            for member in archive:
                if member.isreg() and (name := clean(member.name)) in wanted:
                    with archive.extractfile(member) as file:
                        yield name, file


def open_source(path):
    """Return the `Folder`, `Zip` or `Tar` at `path`, told by content; any other file is a folder of one."""
    path = pathlib.Path(path)
    if path.is_dir():
        return Folder(path)
    kind = archive_kind(path)
    return kind(path) if kind else single(path)


def single(path):
    """Return the file at `path` as a source of one file, whatever it is."""
    return Folder(path.parent, [path.name])


def archive_kind(path):
    with open(path, "rb") as file:
        head = file.read(262)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return Zip
    packed = head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ"))
    return Tar if packed or head[257:] == b"ustar" else None


def heads(source):
    """Return the first bytes of every file of `source` that is not a picture by its name."""
    names = [name for name in source.sizes if not name.lower().endswith(PICTURES)]
    return {name: file.read(HEAD) for name, file in source.stream(names)}


def whole_path(source, name):
    """Return where a file of `source` lies, for messages."""
    return str(source.path / name)


def walk(folder):
    names = []
    for base, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not hidden(name))
        inside = pathlib.Path(base).relative_to(folder)
        # Of what is neither folder nor file, reading a pipe would never end.
        names += [
            (inside / name).as_posix()
            for name in sorted(files)
            if not hidden(name) and os.path.isfile(os.path.join(base, name))
        ]
        if len(names) > MOST_FILES:
            raise InputError(
                f"{folder} holds more than {MOST_FILES:,} files. Give the folder of the data set itself."
            )
    return names


def refuse(error):
    raise error


def hidden(name):
    return name.startswith(".") or name == "__MACOSX"


def checked(path, members):
    """Return `{name: size}` of an archive's members, in name order, or refuse it."""
    sizes, total = {}, 0
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
        if not any(hidden(part) for part in parts if part != "."):
            sizes[clean(name)] = size
    return dict(sorted(sizes.items()))


def clean(name):
    """Return an archive's name for a file the way it would read on disk: "./train/x" is "train/x"."""
    return pathlib.PurePosixPath(name.replace("\\", "/")).as_posix()


def plain(path, member):
    if member.issym() or member.islnk() or member.isdev():
        raise InputError(
            f"{path} holds {member.name!r}, which is a link or a device, not a file. Pack the data set again "
            "as plain files."
        )
    return member.isreg()


@contextlib.contextmanager
def reading(path):
    """Turn what goes wrong while the user's files at `path` are read into an `InputError`."""
    try:
        yield
    except (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error).split("\n")[0]
        where = getattr(error, "filename", None) or path
        raise InputError(
            f"Cannot read {where}: {reason}. Check that it is whole and that you may read it."
        ) from error
    except NotImplementedError as error:
        raise InputError(f"Cannot read {path}: {error}. Unpack it and give the folder.") from error
