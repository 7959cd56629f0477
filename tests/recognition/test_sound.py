"""The sound of a video in its annotated version."""

import fractions
import shutil
import stat

import numpy as np
import pytest
from helpers.portraits import plain, write_video

from fer_keras.recognition import sound
from fer_keras.recognition.videos import Video

RATE = 8000


def write_film(path, tone=True):
    """Write a second of video with a tone of 1000 Hz in its second half."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as film:
        pictures = film.add_stream("mpeg4", rate=10)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        if tone:
            samples = film.add_stream("aac", rate=RATE, layout="mono")
        for _ in range(10):
            film.mux(pictures.encode(av.VideoFrame.from_ndarray(plain(90), "rgb24")))
        film.mux(pictures.encode(None))
        if tone:
            wave = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE) * (np.arange(RATE) >= RATE // 2)
            frame = av.AudioFrame.from_ndarray(wave[None].astype(np.float32), "fltp", "mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, 0, fractions.Fraction(1, RATE)
            film.mux(samples.encode(frame))
            film.mux(samples.encode(None))
    return path


def heard(path):
    """Return the loudness of each tenth of the first second, None without sound."""
    import av

    with av.open(str(path)) as film:
        if not film.streams.audio:
            return None
        rate = film.streams.audio[0].rate
        found = np.concatenate([frame.to_ndarray()[0] for frame in film.decode(audio=0)])
    return [float(np.abs(part).mean()) for part in np.array_split(found[:rate], 10)]


@pytest.fixture
def drawn(tmp_path):
    return write_video(tmp_path / "drawn.mp4", [plain(20 * i) for i in range(10)], codec="mp4v")


@pytest.fixture(
    params=[
        "PyAV",
        pytest.param("ffmpeg", marks=pytest.mark.skipif(not shutil.which("ffmpeg"), reason="needs ffmpeg")),
    ]
)
def tool(request, monkeypatch):
    if request.param == "PyAV":
        monkeypatch.setattr(shutil, "which", lambda name: None)


def test_the_sound_is_copied_and_the_pictures_stay(tmp_path, drawn, tool):
    before = list(Video(drawn).frames())
    assert sound.add(write_film(tmp_path / "film.mp4"), drawn) is None
    loud = heard(drawn)
    assert max(loud[:4]) < 0.05 and min(loud[6:9]) > 0.3
    after = list(Video(drawn).frames())
    assert [time for time, _ in after] == [time for time, _ in before]
    assert all((a == b).all() for (_, a), (_, b) in zip(after, before, strict=True))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["drawn.mp4", "film.mp4"]


def test_a_video_without_sound_stays_as_it_is(tmp_path, drawn, tool):
    before = drawn.read_bytes()
    assert sound.add(write_film(tmp_path / "film.mp4", tone=False), drawn) is None
    assert heard(drawn) is None and Video(drawn).length == 1 and before


def test_sound_that_cannot_be_read_is_reported(tmp_path, drawn, tool):
    before = drawn.read_bytes()
    (tmp_path / "film.mp4").write_bytes(b"rubbish" * 99)
    assert "failed: " in sound.add(tmp_path / "film.mp4", drawn)
    assert drawn.read_bytes() == before and len(list(tmp_path.iterdir())) == 2


def test_without_ffmpeg_and_pyav_the_reason_is_given(tmp_path, drawn, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(sound.importlib.util, "find_spec", lambda name: None)
    assert sound.add(drawn, drawn) == "install ffmpeg, or PyAV with pip install 'fer-keras[sound]'"


def test_ffmpeg_gets_both_files_by_names_it_cannot_take_for_options(tmp_path, drawn, monkeypatch):
    program = tmp_path / "ffmpeg"
    program.write_text('#!/bin/sh\nfor last; do :; done\nprintf "%s\\n" "$@" > "${last#file:}"\n')
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setattr(shutil, "which", lambda name: str(program))
    assert sound.add("-i.mp4", drawn) is None
    words = drawn.read_text().splitlines()
    assert [words[i + 1] for i, word in enumerate(words) if word == "-i"] == [f"file:{drawn}", "file:-i.mp4"]
