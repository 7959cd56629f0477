import json
import math
import os
import stat

import pytest

from fer_keras.core.errors import InputError
from fer_keras.core.files import make_folder, printable, remove_leftovers, sha256, write_json, write_text, writing


def test_text_and_json_are_written_whole_into_new_folders(tmp_path):
    write_text(tmp_path / "a" / "b" / "note.txt", "Zürich\n")
    assert (tmp_path / "a" / "b" / "note.txt").read_bytes() == "Zürich\n".encode()
    write_json(tmp_path / "value.json", {"a": [1, 2.5, None]})
    assert (tmp_path / "value.json").read_text() == '{\n  "a": [\n    1,\n    2.5,\n    null\n  ]\n}\n'
    assert sorted(os.listdir(tmp_path)) == ["a", "value.json"]


@pytest.mark.parametrize("umask, mode", [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_file_has_the_users_permissions_and_replaces_the_one_before(tmp_path, umask, mode):
    path = tmp_path / "x.txt"
    before = os.umask(umask)
    try:
        write_text(path, "long old text")
        write_text(path, "new")
    finally:
        os.umask(before)
    assert path.read_text() == "new" and stat.S_IMODE(path.stat().st_mode) == mode


def test_name_of_the_temporary_file_fits_where_the_final_one_does(tmp_path):
    path = tmp_path / ("x" * 250 + ".txt")
    write_text(path, "new")
    assert path.read_text() == "new"


def test_dangling_link_in_the_way_is_an_error(tmp_path):
    (tmp_path / "runs").symlink_to("nowhere")
    message = f"^{tmp_path}/runs is a link to nowhere, which does not exist. Make that folder or remove the link.$"
    for folder in (tmp_path / "runs", tmp_path / "runs" / "a"):
        with pytest.raises(InputError, match=message):
            make_folder(folder)
    (tmp_path / "nowhere").mkdir()
    make_folder(tmp_path / "runs" / "a")
    assert (tmp_path / "nowhere" / "a").is_dir()


def test_printable_name_is_on_one_line():
    assert printable("a\nb\x1b[31m\udce9 \u6f22.png") == "a\\nb\\x1b[31m\\udce9 \u6f22.png"


def test_hash_of_a_file(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")  # FIPS 180-2, B.1
    assert sha256(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "value.json"
    write_json(path, 1)
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, {"a": math.nan})
    with pytest.raises(RuntimeError), writing(path) as temporary:
        temporary.write_text("half of it")
        raise RuntimeError
    assert json.loads(path.read_text()) == 1
    assert os.listdir(tmp_path) == ["value.json"]


def test_temporary_file_stands_beside_the_final_one_with_its_suffix(tmp_path):
    with writing(tmp_path / "model.keras") as temporary:
        assert temporary.parent == tmp_path and temporary.suffix == ".keras"
        assert temporary.name.startswith(".model-")
        assert not (tmp_path / "model.keras").exists()


def test_leftovers_of_a_killed_process_are_removed_and_nothing_else(tmp_path):
    for name in ("model.keras", ".lock", ".hidden", "a-12345678.txt"):
        (tmp_path / name).touch()
    for name in ("x.npz", "history.jsonl"):
        with writing(tmp_path / name) as temporary:
            temporary.write_text("half")
            os.link(
                temporary,
                tmp_path / (temporary.name[: -len(temporary.suffix) - 8] + "abc_1234" + temporary.suffix),
            )
        (tmp_path / name).unlink()
    assert len(os.listdir(tmp_path)) == 6
    remove_leftovers(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".hidden", ".lock", "a-12345678.txt", "model.keras"]


@pytest.mark.skipif(os.name != "posix", reason="folders are flushed on POSIX only")
def test_file_is_on_disk_before_it_has_its_name_and_the_name_after(tmp_path, monkeypatch):
    events, fsync, replace = [], os.fsync, os.replace

    def note_sync(handle):
        events.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    def note_replace(*paths):
        events.append("rename")
        replace(*paths)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "replace", note_replace)
    write_text(tmp_path / "x.txt", "text")
    assert events == ["file", "rename", "folder"]


def test_interruption_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), writing(tmp_path / "x.npz"):
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="Cannot make the folder .*file/runs: Not a directory. Name another one."):
        make_folder(tmp_path / "file" / "runs")
