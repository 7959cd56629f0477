"""Drawings never replace a file of the user's."""

import os
import pathlib

import cv2
import pytest
from helpers.portraits import brightness, plain, write_video
from PIL import Image

from fer_keras.core.errors import InputError
from fer_keras.recognition import FER, batches, outputs

FACES = FER(brightness, detector="none")


@pytest.fixture
def folder(tmp_path):
    for name in ("a.png", "a.jpg"):
        Image.fromarray(plain(51)).save(tmp_path / name)
    write_video(tmp_path / "clip.avi", [plain(0), plain(90)])
    (tmp_path / "clip.mp4").write_bytes((tmp_path / "clip.avi").read_bytes())
    return tmp_path


def analyze(files, **folders):
    results = list(batches.analyze(FACES, [str(file) for file in files], every=0, **folders))
    assert not any(result.error for result in results)


def contents(folder):
    return {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def drawn(folder, before):
    """Return the names of the new files, after a check that those `before` are as they were."""
    after = contents(folder)
    assert {path: after[path] for path in before} == before
    return sorted(path.name for path in after.keys() - before.keys())


NEW = ["a-2.png", "a-3.png", "clip-2.mp4", "clip_timeline.png"]
INPUTS = ("a.png", "a.jpg", "clip.mp4")


def test_originals_are_kept_where_drawings_go_beside_them(folder):
    before = contents(folder)
    for _ in range(2):  # the second time, drawings replace those of the first
        analyze([folder / name for name in INPUTS], annotate=folder)
        assert drawn(folder, before) == NEW


def test_a_link_to_the_folder_of_the_originals(folder, tmp_path_factory):
    before = contents(folder)
    link = tmp_path_factory.mktemp("elsewhere") / "link"
    link.symlink_to(folder)
    analyze([folder / name for name in INPUTS], annotate=link)
    assert drawn(folder, before) == NEW


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_links_to_originals_are_kept(folder, tmp_path, link):
    (tmp_path / "drawn").mkdir()
    link(folder / "a.jpg", tmp_path / "drawn" / "a.png")
    before = contents(folder) | contents(tmp_path / "drawn")
    analyze([folder / "a.jpg"], annotate=tmp_path / "drawn")
    assert os.path.samefile(folder / "a.jpg", tmp_path / "drawn" / "a.png")
    assert (contents(folder) | contents(tmp_path / "drawn")).items() >= before.items()
    assert sorted(os.listdir(tmp_path / "drawn")) == ["a-2.png", "a.png"]


def test_files_that_were_not_given_are_kept_too(folder, caplog):
    (folder / "a_face1.png").write_bytes(b"mine")
    (folder / "a-2.png").symlink_to("nowhere")
    (folder / "a-3.png").mkdir()
    before = contents(folder)
    caplog.set_level("INFO", "fer_keras")
    analyze([folder / "a.jpg"], annotate=folder, saliency=folder)
    assert drawn(folder, before) == ["a-2_face1.png", "a-4.png"]
    assert (folder / "a-2.png").is_symlink()
    assert f"{folder}/a.png was not drawn by fer-keras and is kept; drawing to a-4.png." in caplog.messages


def test_a_drawing_that_is_an_input_is_kept(folder):
    analyze([folder / "a.jpg"], annotate=folder / "drawn")
    before = contents(folder / "drawn")
    analyze([folder / "drawn" / "a.png"], annotate=folder / "drawn")
    assert drawn(folder / "drawn", before) == ["a-2.png"]


def test_a_file_system_that_ignores_case_finds_the_original(folder, monkeypatch):
    """What such a file system does: another spelling is the same file."""
    real = os.stat
    respelled = {str(folder / "A.png"): str(folder / "a.png")}
    monkeypatch.setattr(os, "stat", lambda path, **rest: real(respelled.get(os.fspath(path), path), **rest))
    monkeypatch.setattr(os.path, "lexists", lambda path: os.fspath(path) in respelled or os.path.exists(path))
    assert not outputs.Outputs([folder / "a.png"])._may_replace(folder / "A.png")


def test_drawings_are_known_by_their_mark(folder):
    analyze([folder / "a.png", folder / "clip.avi"], annotate=folder / "drawn", saliency=folder / "drawn")
    names = sorted(os.listdir(folder / "drawn"))
    assert names == ["a.png", "a_face1.png", "clip.mp4", "clip_timeline.png"]
    assert all(outputs.is_drawn(folder / "drawn" / name) for name in names)
    assert not any(outputs.is_drawn(folder / name) for name in (*INPUTS, "none", "null\0character"))
    capture = cv2.VideoCapture(str(folder / "drawn" / "clip.mp4"))
    assert [capture.read()[0] for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize("stem", ["a" * 245, "\u6f22" * 80])
def test_long_names_are_cut(tmp_path, stem):
    long = tmp_path / f"{stem}.jpg"
    Image.fromarray(plain(51)).save(long)
    analyze([long], annotate=tmp_path / "drawn")
    (name,) = os.listdir(tmp_path / "drawn")
    assert name == f"{stem[: 200 // len(stem[0].encode())]}.png"


def test_unusable_folders_are_reported_before_the_work(folder):
    (folder / "file").write_text("")
    with pytest.raises(InputError, match="Cannot make the folder .*file/drawn: Not a directory"):
        outputs.Outputs([], annotate=folder / "file" / "drawn")
    with pytest.raises(InputError, match="Cannot make the folder .*file: File exists"):
        outputs.Outputs([], saliency=folder / "file")
    with pytest.raises(InputError, match="File name too long"):
        outputs.Outputs([], annotate=pathlib.Path("a" * 300))
