"""Seconds for 1,000 crops and for an hour of video, beside the package `fer`, in turn.

    python benchmarks/many_faces.py --fer-python FER_ENVIRONMENT/bin/python [--rounds 3]

`fer` needs other versions of numpy and Pillow, so it has an environment of its own, with `fer` 25.10.3 and what
it imports. Each measurement is a process of one of the two packages; counted are the seconds after imports and a
first answer. The crops are synthetic faces of 48×48 pixels. The video is an hour of a portrait that moves, 320×240
pixels at 25 pictures a second, of which one a second is analyzed, by `fer` with its default, Haar's cascade. Ours
averages two views of each face by `best` unless `--tta none --model tiny`, and tracks the faces.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import click
import cv2
import numpy as np
import skimage

from fer_keras.data import synthetic

RATE, WIDTH, HEIGHT = 25, 320, 240
OURS = """
import json, sys, time
import numpy as np
from fer_keras import FER
crops, video, detector, tta, model = sys.argv[1:]
fer = FER(model, detector=detector, tta=tta)
portrait = np.zeros((240, 320, 3), "uint8")
fer.analyze(portrait)
faces = FER(model, detector="none", tta=tta)
images = np.load(crops)
faces.analyze_many(images[:2])
start = time.perf_counter()
many = faces.analyze_many(list(images))
middle = time.perf_counter()
frames = [frame for frame in fer.analyze_video(video, every=1.0) if frame.faces]
end = time.perf_counter()
print(json.dumps([middle - start, len(many), end - middle, len(frames)]))
"""
FER = """
import json, sys, tempfile, time
import cv2
import numpy as np
from fer.classes import Video
from fer.fer import FER
crops, video = sys.argv[1:3]
cv2.waitKey = lambda delay: -1  # fer calls it for each frame; OpenCV without windows lacks it
cv2.destroyAllWindows = lambda: None
fer = FER()
images = np.repeat(np.load(crops), 3, axis=-1)
box = [(0, 0, 48, 48)]
fer.detect_emotions(images[0], face_rectangles=box)
start = time.perf_counter()
many = [fer.detect_emotions(image, face_rectangles=box) for image in images]
middle = time.perf_counter()
with tempfile.TemporaryDirectory() as folder:
    rows = Video(video, outdir=folder).analyze(
        fer, frequency=25, save_frames=False, save_video=False, annotate_frames=False, output="pandas"
    )
end = time.perf_counter()
print(json.dumps([middle - start, len(many), end - middle, len(rows)]))
"""


def write_video(path, minutes):
    """Write `minutes` of a portrait that moves, with one key frame a second."""
    portrait = cv2.imread(str(pathlib.Path(skimage.__file__).parent / "data" / "astronaut.png"))
    small = cv2.resize(portrait, (280, 280))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), RATE, (WIDTH, HEIGHT))
    for number in range(minutes * 60 * RATE):
        left = round(20 + 20 * np.sin(number / 40))
        writer.write(np.ascontiguousarray(np.pad(small[:HEIGHT], ((0, 0), (left, 40 - left), (0, 0)))))
    writer.release()


def measured(python, program, arguments):
    environment = os.environ | {"KERAS_BACKEND": "tensorflow" if program is FER else "torch"}
    command = [python, "-c", program, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise click.ClickException(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


@click.command(help=__doc__)
@click.option("--fer-python", required=True, type=click.Path(exists=True))
@click.option("--rounds", default=3, show_default=True)
@click.option("--crops", "count", default=1000, show_default=True)
@click.option("--minutes", default=60, show_default=True)
@click.option("--tta", default="flip", show_default=True)
@click.option("--model", default="best", show_default=True)
def main(fer_python, rounds, count, minutes, tta, model):
    with tempfile.TemporaryDirectory() as folder:
        crops, video = str(pathlib.Path(folder, "crops.npy")), str(pathlib.Path(folder, "hour.mp4"))
        np.save(crops, synthetic.draw(count)[0])
        write_video(video, minutes)
        ways = {
            "fer, Haar": (fer_python, FER, [crops, video]),
            "fer-keras, Haar": (sys.executable, OURS, [crops, video, "haar", tta, model]),
            "fer-keras, MTCNN": (sys.executable, OURS, [crops, video, "mtcnn", tta, model]),
        }
        found = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                found[name].append(measured(*way))
    print("| | crops | s | times fer's speed | frames with a face | s | times fer's speed |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    base = [statistics.median(row[i] for row in found["fer, Haar"]) for i in (0, 2)]
    for name, rows in found.items():
        crop_s, video_s = (statistics.median(row[i] for row in rows) for i in (0, 2))
        answered, frames = rows[0][1::2]
        print(
            f"| {name} | {answered:,} | {crop_s:.2f} | {base[0] / crop_s:.1f} "
            f"| {frames:,} | {video_s:.1f} | {base[1] / video_s:.1f} |"
        )


if __name__ == "__main__":
    main()
