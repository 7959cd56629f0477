import errno
import os

import numpy as np
import pytest
from helpers import data_forms as forms

from fer_keras.data import cache, load, tables
from fer_keras.data.faces import fingerprints

FACES = forms.tiny()


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return forms.write_csv(tmp_path / "fer2013.csv", FACES)


def entries():
    return sorted((cache.home() / "parsed").iterdir())


def test_second_load_parses_nothing_and_maps_the_images(path, monkeypatch):
    assert load(path).digest == FACES.digest
    (entry,) = entries()
    assert {file.name for file in entry.iterdir()} == {"images.npy", "labels.npy", "usages.npy", "meta.json"}
    monkeypatch.setattr(tables, "read", None)
    again = load(path)
    assert isinstance(again.images, np.memmap) and not again.images.flags.writeable
    assert again.digest == FACES.digest
    assert np.array_equal(fingerprints(again.images), fingerprints(FACES.images))


def test_key_is_the_content_not_the_place(path, tmp_path):
    load(path)
    (tmp_path / "moved").mkdir()
    path.rename(tmp_path / "moved" / path.name)
    load(tmp_path / "moved")
    assert len(entries()) == 1
    forms.write_csv(path, forms.tiny(seed=1))
    load(path)
    assert len(entries()) == 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("images.npy", None),
        ("images.npy", b""),
        ("images.npy", 5000),
        ("images.npy", b"\x80\x04 a pickle?"),
        ("labels.npy", 100),
        ("meta.json", b"{"),
        ("meta.json", b"[]"),
        ("meta.json", b"{}"),
        ("flip", None),
    ],
)
def test_damaged_entry_is_built_again(path, caplog, name, content):
    load(path)
    (entry,) = entries()
    if name == "flip":  # One pixel changed; nothing but the digest can tell.
        data = bytearray((entry / "images.npy").read_bytes())
        data[-1] ^= 1
        (entry / "images.npy").write_bytes(data)
    elif content is None:
        (entry / name).unlink()
    else:
        whole = (entry / name).read_bytes()
        (entry / name).write_bytes(whole[:content] if isinstance(content, int) else content)
    assert load(path).digest == FACES.digest
    assert f"The cache entry {entry} is damaged" in caplog.text
    caplog.clear()
    assert load(path).digest == FACES.digest and not caplog.records


def test_full_disk_leaves_nothing_half_written(path, caplog, monkeypatch):
    def full(file, array, **options):
        file.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "save", full)
    assert load(path).digest == FACES.digest
    assert entries() == []
    assert "not cached: [Errno 28] No space left on device" in caplog.text


def test_cache_that_cannot_be_written(path, caplog, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert load(path).digest == FACES.digest
    assert "The parsed data is not cached" in caplog.text


def test_two_processes_writing_the_same_entry(path):
    load(path)
    (entry,) = entries()
    cache.write(entry.name, cache.read(entry.name))
    assert entries() == [entry]
