"""Frames of video files with their times, and back."""

import cv2
import numpy as np
import pytest
from helpers.portraits import plain, write_video

from fer_keras.core.errors import InputError
from fer_keras.recognition import videos

COLORED = np.zeros((48, 64, 3), np.uint8) + np.array([200, 100, 0], np.uint8)


def clip(path, frames=10):
    return write_video(path, [plain(20 * i) for i in range(frames)], rate=10)


def test_frames_have_times_and_pixels(tmp_path):
    found = list(videos.frames(clip(tmp_path / "clip.avi")))
    assert [time for time, _ in found] == pytest.approx([i / 10 for i in range(10)])
    assert [rgb[5, 5].tolist() for _, rgb in found] == [[20 * i] * 3 for i in range(10)]


def test_red_comes_first(tmp_path):
    ((_, rgb),) = videos.frames(write_video(tmp_path / "clip.avi", [COLORED]))
    assert np.abs(rgb[5, 5].astype(int) - [200, 100, 0]).max() <= 2


@pytest.mark.parametrize("every, times", [(0.2, [0, 0.2, 0.4, 0.6, 0.8]), (0.25, [0, 0.3, 0.5, 0.8]), (9, [0])])
def test_every_so_many_seconds(tmp_path, every, times):
    found = [time for time, _ in videos.frames(clip(tmp_path / "clip.avi"), every=every)]
    assert found == pytest.approx(times)


def test_names_with_percent_signs_are_one_file(tmp_path):
    assert len(list(videos.frames(clip(tmp_path / "100%d.avi", 3)))) == 3


@pytest.mark.parametrize("content", [b"", b"no video" * 100])
def test_rubbish_is_told(tmp_path, content):
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(InputError, match="clip.mp4 is no video that OpenCV can read"):
        list(videos.frames(path))


def test_missing_and_large_videos_are_told(tmp_path):
    with pytest.raises(InputError, match="There is no video file .*none.mp4"):
        list(videos.frames(tmp_path / "none.mp4"))
    with pytest.raises(InputError, match="clip.avi has 64 x 48 pixels, more than 3,000"):
        list(videos.frames(clip(tmp_path / "clip.avi"), max_pixels=3000))


def test_a_video_cut_short_gives_what_it_has(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (10, 48, 64, 3), np.uint8)
    whole = write_video(tmp_path / "clip.avi", list(noise)).read_bytes()
    path = tmp_path / "short.avi"
    path.write_bytes(whole[: len(whole) // 2])
    assert 3 <= len(list(videos.frames(path))) <= 6


def test_written_videos_are_read(tmp_path):
    with videos.writer(tmp_path / "new" / "clip.mp4", 10) as append:
        for value in (0, 100, 200):
            append(plain(value, 65, 49))
    found = list(videos.frames(tmp_path / "new" / "clip.mp4"))
    assert [time for time, _ in found] == pytest.approx([0, 0.1, 0.2])
    assert [abs(int(rgb[20, 20, 0]) - value) < 8 for (_, rgb), value in zip(found, (0, 100, 200), strict=True)]
    assert videos.rate(tmp_path / "new" / "clip.mp4") == pytest.approx(10)


def test_nothing_is_left_of_a_writing_that_failed(tmp_path):
    with pytest.raises(KeyError), videos.writer(tmp_path / "clip.mp4", 10) as append:
        append(plain(0))
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_an_opencv_that_cannot_write_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(cv2.VideoWriter, "isOpened", lambda self: False, raising=False)
    with pytest.raises(InputError, match="cannot write MP4"), videos.writer(tmp_path / "clip.mp4", 10) as append:
        append(plain(0))
