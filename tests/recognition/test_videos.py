"""Frames of video files with their times, what is wrong with files, and frames written as a video."""

import os

import cv2
import numpy as np
import pytest
from helpers.portraits import plain, write_video

from fer_keras.core.errors import InputError
from fer_keras.recognition import videos
from fer_keras.recognition.videos import Clock, Video, at_rate

COLORED = np.zeros((48, 64, 3), np.uint8) + np.array([200, 100, 0], np.uint8)
NOISE = list(np.random.default_rng(0).integers(0, 256, (20, 48, 64, 3), np.uint8))


def clip(path, frames=10, rate=10):
    return write_video(path, [plain(20 * i) for i in range(frames)], rate=rate)


def noise(path, codec, rate=25):
    """Write a video of 0.8 seconds whose frames are all of about the same size in bytes."""
    return write_video(path, NOISE, rate=rate, codec=codec)


def cut(path, share=0.5):
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    return path


def read(path, **options):
    """Return the times of the frames that can be read, and the fault."""
    video = Video(path)
    return [time for time, _ in video.frames(**options)], video.fault


def test_frames_have_times_and_pixels(tmp_path):
    found = list(Video(clip(tmp_path / "clip.avi")).frames())
    assert [time for time, _ in found] == pytest.approx([i / 10 for i in range(10)])
    assert [rgb[5, 5].tolist() for _, rgb in found] == [[20 * i] * 3 for i in range(10)]


def test_red_comes_first(tmp_path):
    ((_, rgb),) = Video(write_video(tmp_path / "clip.avi", [COLORED])).frames()
    assert np.abs(rgb[5, 5].astype(int) - [200, 100, 0]).max() <= 2


@pytest.mark.parametrize(
    "every, times",
    [(0.2, [0, 0.2, 0.4, 0.6, 0.8]), (0.25, [0, 0.3, 0.5, 0.8]), (9, [0]), (0.1, np.arange(10) / 10)],
)
def test_every_so_many_seconds(tmp_path, every, times):
    found, fault = read(clip(tmp_path / "clip.avi"), every=every)
    assert found == pytest.approx(times) and fault is None


def test_length_and_rate_are_the_files_own(tmp_path):
    video = Video(clip(tmp_path / "clip.avi", frames=3, rate=0.2))
    assert video.length == pytest.approx(15)
    assert [time for time, _ in video.frames()] == pytest.approx([0, 5, 10])
    assert video.rate == pytest.approx(0.2)


@pytest.mark.parametrize("name", ["100%d.avi", "-i.avi", os.fsdecode(b"latin\xe9.avi"), "\u6f22 $x$\n.avi"])
def test_any_name_is_one_file(tmp_path, name):
    path = clip(tmp_path / "clip.avi", 3).rename(tmp_path / name)
    assert len(read(path)[0]) == 3


@pytest.mark.parametrize("content", [b"", b"no video" * 100])
def test_rubbish_is_reported(tmp_path, content):
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(InputError, match="clip.mp4 cannot be read: it is no video that OpenCV can read"):
        Video(path)


def test_the_reason_is_given_where_nothing_can_be_read(tmp_path):
    path = cut(noise(tmp_path / "clip.mp4", "mp4v"))
    with pytest.raises(InputError, match="clip.mp4 cannot be read: it is cut short: [0-9,]+ bytes of at least"):
        Video(path)


def test_missing_and_large_videos_are_reported(tmp_path):
    with pytest.raises(InputError, match="There is no video file .*none.mp4"):
        Video(tmp_path / "none.mp4")
    with pytest.raises(InputError, match="clip.avi has 64 x 48 pixels, more than 3,000"):
        Video(clip(tmp_path / "clip.avi"), max_pixels=3000)


WHOLE = [
    ("clip.avi", "MJPG"),
    ("clip.mkv", "FFV1"),
    ("clip.mpg", "PIM1"),
    ("clip.webm", "VP80"),
    ("clip.mp4", "mp4v"),
]
WHOLE += [
    ("clip.wmv", "WMV2"),
    ("clip.flv", "FLV1"),
    ("clip.ts", "mp4v"),
    ("clip.3gp", "mp4v"),
    ("clip.mov", "mp4v"),
]


@pytest.mark.parametrize("name, codec", WHOLE)
def test_whole_videos_have_no_fault(tmp_path, name, codec):
    times, fault = read(noise(tmp_path / name, codec))
    assert fault is None and len(times) == 20
    assert times == pytest.approx([i / 25 for i in range(20)], abs=2e-3)
    assert name.endswith(videos.SUFFIXES)


@pytest.mark.parametrize("share", [0.5, 0.77])
@pytest.mark.parametrize(
    "name, codec", [case for case in WHOLE if case[0].endswith(("avi", "mkv", "mpg", "webm"))]
)
def test_of_a_video_cut_short_the_rest_is_read_and_the_fault_reported(tmp_path, name, codec, share):
    times, fault = read(cut(noise(tmp_path / name, codec), share))
    assert 5 <= len(times) <= 17
    assert f"{name} was read for {times[-1] + 0.04:.2f} s, but it is cut short" in fault


@pytest.mark.parametrize("name, codec", [("clip.avi", "MJPG"), ("clip.mkv", "FFV1"), ("clip.mpg", "PIM1")])
def test_an_end_of_zeros_is_reported(tmp_path, name, codec):
    """A download that was interrupted after its space was reserved."""
    path = noise(tmp_path / name, codec)
    size = path.stat().st_size
    cut(path)
    os.truncate(path, size)
    times, fault = read(path)
    assert 4 <= len(times) <= 12 and ("damaged" in fault or "cut short" in fault)


def test_pictures_after_one_that_cannot_be_decoded_are_read(tmp_path):
    path = noise(tmp_path / "clip.flv", "FLV1")
    data = bytearray(path.read_bytes())
    pictures = [i for i in range(len(data) - 11) if data[i] == 9 and data[i + 8 : i + 11] == bytes(3)]
    begin = pictures[8] + 12  # after the header of the tag and a byte with the codec
    data[begin : begin + 20] = bytes(20)
    path.write_bytes(data)
    times, fault = read(path)
    assert times == pytest.approx([i / 25 for i in range(20) if i != 8], abs=0.002)
    assert fault.endswith("1 of its frames cannot be decoded.")


def test_joined_videos_go_on_in_time(tmp_path):
    """The last frame of either comes without a stamp."""
    path = noise(tmp_path / "clip.mpg", "PIM1")
    path.write_bytes(2 * path.read_bytes())
    times, fault = read(path)
    assert times == pytest.approx([i / 25 for i in range(40)], abs=1e-3)
    assert "was read for 1.60 s, but its time stamps do not rise after 0.72 s: later times are estimated" in fault


def test_joined_videos_of_which_the_first_is_read_are_reported(tmp_path):
    path = noise(tmp_path / "clip.mp4", "mp4v")
    path.write_bytes(2 * path.read_bytes())
    try:
        times, fault = read(path)
        assert len(times) == 20
    except InputError as error:  # OpenCV 4.10 does not open it
        fault = str(error)
    assert "it holds 2 videos, one after another, and only the first is read" in fault


def clocked(stamps):
    clock = Clock(0.5)
    return [clock.next(stamp) for stamp in stamps], clock.broken, clock.end


def test_a_clock_keeps_stamps_that_rise():
    assert clocked([0.25, 1, 3]) == ([0.25, 1, 3], None, 3.5)


def test_a_clock_counts_on_without_stamps():
    assert clocked([0, 0, 0, 0, 0]) == ([0, 0.5, 1, 1.5, 2], 0, 2.5)


def test_a_clock_goes_on_after_a_stamp_that_falls_or_leaps():
    assert clocked([0, 1, 0, 1, 2, 3]) == ([0, 1, 1.5, 2.5, 3.5, 4.5], 1, 5)
    assert clocked([0, 1, 99_999, 100_000, 100_001, 100_002]) == ([0, 1, 1.5, 2.5, 3.5, 4.5], 1, 5)


def test_last_frames_without_a_stamp_are_no_fault():
    assert clocked([0, 1, 2, 0, 0]) == ([0, 1, 2, 2.5, 3], None, 3.5)


@pytest.mark.parametrize(
    "times, rate, shown",
    [
        ([0, 0.1, 0.2], 10, [0, 1, 2]),
        ([0, 0.1, 0.4, 0.5], 10, [0, 1, 1, 1, 2, 3]),  # a gap shows the frame before it
        ([0.2, 0.3], 10, [0, 0, 0, 1]),  # a late start shows the first
        ([0, 0.033, 0.067, 0.1], 30, [0, 1, 2, 3]),  # rounded to milliseconds
        ([], 10, []),
    ],
)
def test_a_constant_rate_keeps_the_time(times, rate, shown):
    assert list(at_rate(((time, i) for i, time in enumerate(times)), rate)) == shown


@pytest.mark.parametrize(
    "named, interval, rate",
    [(25, 0.04, 25), (29.97, 0.033, 29.97), (8, 1 / 30, 30), (1000, 0.04, 25), (200, 0.04, 25), (25, 1e-4, 240)],
)
def test_the_rate_is_the_named_one_unless_frames_come_otherwise(tmp_path, named, interval, rate):
    video = Video(clip(tmp_path / "clip.avi"))
    video._named_rate = named
    video._clock = Clock(1 / named)
    for i in range(30):  # slower in the second half
        video._clock.next(i * interval if i < 15 else 15 * interval + (i - 15) * 12 * interval)
    assert video.rate == pytest.approx(rate)


def write(path, pictures, rate=10):
    path.touch()
    with videos.writer(path, rate) as append:
        for picture in pictures:
            append(picture)
    return path


@pytest.mark.parametrize("name", ["clip.mp4", os.fsdecode(b"latin\xe9.mp4")])
def test_written_videos_are_read(tmp_path, name):
    path = write(tmp_path / name, [plain(value, 65, 49) for value in (0, 100, 200)])
    video = Video(path)
    found = list(video.frames())
    assert [time for time, _ in found] == pytest.approx([0, 0.1, 0.2]) and video.rate == pytest.approx(10)
    assert [abs(int(rgb[20, 20, 0]) - value) < 8 for (_, rgb), value in zip(found, (0, 100, 200), strict=True)]


def test_frames_of_another_size_are_resized(tmp_path):
    path = write(tmp_path / "clip.mp4", [plain(0), plain(200, 128, 96)])
    assert [rgb.shape for _, rgb in Video(path).frames()] == [(48, 64, 3)] * 2


def test_an_opencv_that_cannot_write_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(cv2.VideoWriter, "isOpened", lambda self: False, raising=False)
    with pytest.raises(InputError, match="cannot write MP4"):
        write(tmp_path / "clip.mp4", [plain(0)])
