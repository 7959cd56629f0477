"""The sound of a video, copied into its annotated version by ffmpeg or PyAV, where one of them is installed."""

import importlib.util
import itertools
import os
import pathlib
import shutil
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import av

RATE = 48_000  # samples a second
Path: TypeAlias = str | os.PathLike
# Writes to the third file the pictures of the second and the sound of the first, if any; returns what failed.
Copy: TypeAlias = Callable[[Path, Path, Path], str | None]


def add(source: Path, video: Path) -> str | None:
    """Put the sound of the file `source` into the MP4 file `video`.

    Returns:
        None, also if `source` has no sound; else why there is none in `video`, which stays as it was.
    """
    if program := shutil.which("ffmpeg"):
        copy: Copy = with_ffmpeg(program)
    elif importlib.util.find_spec("av"):
        copy = with_av
    else:
        return "install ffmpeg, or PyAV with pip install 'fer-keras[sound]'"
    joined = pathlib.Path(video).with_name(f"{pathlib.Path(video).name}.sound")
    try:
        if problem := copy(source, video, joined):
            return problem
        if joined.exists():
            joined.replace(video)
    finally:
        joined.unlink(missing_ok=True)
    return None


def with_ffmpeg(program: str) -> Copy:
    def copy(source: Path, video: Path, joined: Path) -> str | None:
        command = [program, "-nostdin", "-v", "error", "-y", "-i", f"file:{video}", "-i", f"file:{source}"]
        command += ["-map", "0:v", "-map", "1:a:0?", "-c:v", "copy", "-c:a", "aac", "-f", "mp4", f"file:{joined}"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
        return None if done.returncode == 0 else f"ffmpeg failed: {' '.join(done.stderr.split())[-200:]}"

    return copy


def with_av(source: Path, video: Path, joined: Path) -> str | None:
    import av

    try:
        with av.open(str(source)) as original, av.open(str(video)) as drawn:
            if original.streams.audio:
                with av.open(str(joined), "w", format="mp4") as target:
                    join(original, drawn, target)
    except (av.FFmpegError, UnicodeEncodeError) as error:
        return f"PyAV failed: {error}"
    return None


def join(
    original: "av.container.InputContainer",
    drawn: "av.container.InputContainer",
    target: "av.container.OutputContainer",
) -> None:
    """Write the pictures of `drawn` and the first sound of `original` to `target`."""
    import av

    pictures = target.add_stream_from_template(drawn.streams.video[0])
    sound = target.add_stream("aac", rate=RATE, layout="stereo")
    for packet in drawn.demux(video=0):
        if packet.dts is not None:  # the last one is empty and only flushes
            packet.stream = pictures
            target.mux(packet)
    start = (original.start_time or 0) * RATE // av.time_base
    resampler = av.AudioResampler(format="fltp", layout="stereo", rate=RATE)
    for frame in itertools.chain(original.decode(audio=0), [None]):  # None flushes
        for piece in resampler.resample(frame):
            piece.pts = piece.pts - start if piece.pts is not None else None
            target.mux(sound.encode(piece))
    target.mux(sound.encode(None))
