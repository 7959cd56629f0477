"""Paths, folders and patterns to files, and what is skipped."""

import os

import pytest
from helpers.portraits import plain
from PIL import Image

from fer_keras.core.errors import InputError
from fer_keras.recognition import inputs, outputs


@pytest.fixture
def album(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "album" / "sub").mkdir(parents=True)
    for name in ("b.png", "a.JPG", "sub/a.png"):
        (tmp_path / "album" / name).touch()
    (tmp_path / "album" / "notes.txt").write_text("no picture")
    return tmp_path / "album"


def test_folders_patterns_and_files_are_expanded_once(album):
    everything = ["album/a.JPG", "album/b.png", "album/sub/a.png"]
    assert inputs.expand(["album"]) == inputs.Inputs(everything, {"ending in .txt": 1})
    assert inputs.expand(["album/**/*.png", "album"]).files == ["album/b.png", "album/sub/a.png", "album/a.JPG"]
    assert inputs.expand(["album/*"]) == inputs.Inputs(["album/a.JPG", "album/b.png"], {"ending in .txt": 1})
    (album / "odd[1].png").touch()
    assert inputs.expand(["album/odd[1].png"]).files == ["album/odd[1].png"]


def test_files_are_taken_whatever_their_names_and_missing_ones_are_kept(album):
    named = ["-", "none.jpg", "album/notes.txt"]
    assert inputs.expand(named) == inputs.Inputs(named, {})


def test_nothing_to_analyze_is_an_error(album):
    with pytest.raises(InputError, match=r"album/\*.webp has no pictures or videos"):
        inputs.expand(["album/*.webp"])
    (album / "texts").mkdir()
    (album / "texts" / "readme").touch()
    with pytest.raises(InputError, match="album/texts has no pictures .* Skipped 1 file: 1 without an ending."):
        inputs.expand(["album/texts"])


def test_linked_folders_are_read_once_and_circles_end(album):
    (album / "sub" / "back").symlink_to(album)
    (album / "again").symlink_to(album / "sub")
    (album / "other").symlink_to(album.parent / "elsewhere")
    (album.parent / "elsewhere").mkdir()
    (album.parent / "elsewhere" / "c.png").touch()
    assert inputs.expand(["album"]).files == [
        *("album/a.JPG", "album/b.png", "album/again/a.png", "album/other/c.png")
    ]


def test_skipped_files_are_counted_by_reason(album):
    (album / "._a.JPG").touch()
    (album / "gone.png").symlink_to("nowhere")
    os.mkfifo(album / "pipe.mp4")
    (album / "page.ts").write_text("const x: number = 1;\n" * 20)
    (album / "film.ts").write_bytes((b"\x47" + bytes(187)) * 2)
    (album / "camera.mts").write_bytes((bytes(4) + b"\x47" + bytes(187)) * 2)
    found = inputs.expand(["album"])
    assert found.skipped == {
        "hidden": 1,
        "linked to nothing": 1,
        "neither file nor folder": 1,
        "ending in .ts without a video": 1,
        "ending in .txt": 1,
    }
    assert found.files[1:4] == ["album/b.png", "album/camera.mts", "album/film.ts"]
    assert inputs.summary({"hidden": 2, "ending in .txt": 1}) == "Skipped 3 files: 1 ending in .txt, 2 hidden."


def test_drawings_are_skipped_even_if_they_are_named(album):
    Image.fromarray(plain(9)).save("photo.png")
    written = outputs.Outputs([], annotate="drawn")
    written.save(Image.fromarray(plain(9)), "drawn", "photo.png", ".png")
    assert inputs.expand(["drawn/photo.png", "photo.png"]) == inputs.Inputs(
        ["photo.png"], {"drawn by fer-keras": 1}
    )
    with pytest.raises(InputError, match="Every file given was drawn by fer-keras"):
        inputs.expand(["drawn"])
