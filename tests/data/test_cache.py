import errno
import hashlib
import json
import os
import shutil

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
    names = {"images.npy", "labels.npy", "usages.npy", "row_numbers.npy", "meta.json"}
    assert {file.name for file in entry.iterdir()} == names
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


@pytest.mark.parametrize(
    "content",
    [b"[" * 200_000, b'{"key": ' + b"1" * 5000 + b"}", b'{"key": NaN}', b"null", b"\xff", b'"', b'{"about": 1}'],
    ids=["deep", "digits", "nan", "null", "bytes", "quote", "types"],
)
def test_hostile_json_is_a_damaged_entry(path, caplog, content):
    load(path)
    (entry,) = entries()
    (entry / "meta.json").write_bytes(content)
    assert load(path).digest == FACES.digest
    assert f"The cache entry {entry} is damaged" in caplog.text and len(caplog.messages) == 1
    assert "\n" not in caplog.messages[0]


def test_an_entry_of_other_data_is_not_believed(path, tmp_path, caplog):
    """Both entries are whole: the one that stands under another key is known by its own."""
    load(path)
    (mine,) = entries()
    other = forms.write_csv(tmp_path / "other.csv", forms.tiny(seed=1))
    load(other)
    (theirs,) = set(entries()) - {mine}
    shutil.rmtree(mine)
    shutil.copytree(theirs, mine)
    assert load(path).digest == FACES.digest and "describes other data" in caplog.text


@pytest.mark.parametrize("name", ["digest", "class_names", "skipped", "notes", "names"])
def test_changed_description_is_a_damaged_entry(path, caplog, name):
    load(path)
    (entry,) = entries()
    meta = json.loads((entry / "meta.json").read_text())
    meta["about"][name] = ["a", "b"]
    (entry / "meta.json").write_text(json.dumps(meta))
    assert load(path).class_names == FACES.class_names and "is damaged" in caplog.text


def test_changed_votes_are_a_damaged_entry(path, caplog):
    forms.write_votes(path.parent / "fer2013new.csv", FACES, np.eye(10, dtype=int)[np.arange(28) % 10])
    votes = load(path.parent).votes
    (entry,) = entries()
    np.save(entry / "votes.npy", np.zeros((28, 11), np.int16))
    assert np.array_equal(load(path.parent).votes, votes) and "votes.npy has changed" in caplog.text


def test_a_header_that_claims_a_huge_array_takes_no_memory(path, caplog):
    load(path)
    (entry,) = entries()
    with open(entry / "labels.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<i8", "fortran_order": False, "shape": (10**12,)})
    meta = json.loads((entry / "meta.json").read_text())
    meta["files"]["labels"] = hashlib.sha256((entry / "labels.npy").read_bytes()).hexdigest()
    (entry / "meta.json").write_text(json.dumps(meta))
    assert load(path).digest == FACES.digest and "is damaged" in caplog.text


@pytest.mark.parametrize("kind", ["file", "link", "pipe", "loop"])
def test_entries_that_are_no_folders_of_files(path, caplog, kind):
    load(path)
    (entry,) = entries()
    if kind == "pipe":
        (entry / "meta.json").unlink()
        os.mkfifo(entry / "meta.json")
    else:
        shutil.rmtree(entry)
        if kind == "file":
            entry.write_text("x")
        else:
            entry.symlink_to(entry if kind == "loop" else "nowhere")
    assert load(path).digest == FACES.digest and "is damaged" in caplog.text
    caplog.clear()
    assert load(path).digest == FACES.digest and not caplog.records and len(entries()) == 1


def test_options_have_entries_of_their_own(path):
    assert load(path).digest == FACES.digest
    own = load(path, classes="own")
    assert own.class_names == ("0", "1", "2", "3", "4", "5", "6") and own.digest != FACES.digest
    assert load(path, classes="own").digest == own.digest and len(entries()) == 2
