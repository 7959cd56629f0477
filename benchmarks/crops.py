"""How a face must be cut for a model of FER-2013: where Haar's box lies in its images, and what other cuts cost.

    python benchmarks/crops.py MODEL.keras [--data fer2013.csv] [--faces 1500]

Test images are enlarged four times, surrounded by a repeated edge, and searched by the default detector. The frame
of the image is what FER-2013's makers cut; the box is what this package would cut. Then the model judges the same
faces recut with different margins, reduced to few pixels, and narrow ones widened or stretched.
"""

import pathlib

import click
import numpy as np
from PIL import Image

from fer_keras import data
from fer_keras.inference import prediction
from fer_keras.model_files import saving
from fer_keras.recognition.crops import crop
from fer_keras.recognition.detection import Box, Haar, whole

SCALE, BORDER = 4, 96  # pixels of border on each side of the enlarged image of 192 pixels
MARGINS = (-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3, 0.5)
SIZES = (48, 36, 24, 18, 12)


@click.command()
@click.argument("model", type=click.Path(path_type=pathlib.Path))
@click.option("--data", "path", type=click.Path())
@click.option("--faces", "count", default=1500, show_default=True)
def main(model, path, count):
    model = saving.load(model)
    test = data.split(data.load(path))["test"]
    chosen = np.sort(np.random.default_rng(0).choice(len(test), min(count, len(test)), replace=False))
    images, labels = test.images[chosen, :, :, 0], test.labels[chosen]
    scenes = [scene(image) for image in images]
    boxes = [main_face(boxes) for boxes in map(Haar(), scenes)]
    found = np.array([box is not None for box in boxes])
    print(f"{found.sum()} of {len(images)} faces found")
    geometry([box for box in boxes if box])

    def accuracy(faces, some=slice(None)):
        judged = prediction.probabilities(model, np.stack(faces)).argmax(axis=1)
        return f"{100 * np.mean(judged == labels[some]):.2f} %"

    kept = [(rgb, box) for rgb, box in zip(scenes, boxes, strict=True) if box]
    print(f"as they are, the found faces: {accuracy(images[found][..., None], found)}")
    for margin in MARGINS:
        print(f"  recut, margin {margin:+.1f}: {accuracy([crop(rgb, box, margin) for rgb, box in kept], found)}")
    print("all faces, reduced to a side of … pixels and enlarged again:")
    for size in SIZES:
        print(f"  {size}: {accuracy([recut(resized(image, size, size)) for image in images])}")
    narrow = images[:, :, 6:42]
    print(f"narrow, 36 x 48: widened {accuracy([recut(image) for image in narrow])}, "
          f"stretched {accuracy([resized(image, 48, 48)[..., None] for image in narrow])}")  # fmt: skip


def scene(image):
    large = resized(image, 48 * SCALE, 48 * SCALE)
    return np.repeat(np.pad(large, BORDER, mode="edge")[..., None], 3, axis=2)


def main_face(boxes):
    """Return the largest box whose middle lies in the middle half of the image, or None."""
    low, high = BORDER + 48, BORDER + 144
    for box in boxes:
        if low < box.x + box.width / 2 < high and low < box.y + box.height / 2 < high:
            return box
    return None


def geometry(boxes):
    sides = np.array([192 / box.width for box in boxes])
    middles = np.array([(box.x + box.width / 2 - BORDER, box.y + box.height / 2 - BORDER) for box in boxes]) / 192
    print(f"frame / box: quartiles {np.percentile(sides, [25, 50, 75]).round(3)}")
    print(f"middle of the box in the frame, median: {np.median(middles, axis=0).round(3)}")


def resized(image, width, height):
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))


def recut(image):
    rgb = np.repeat(image[..., None], 3, axis=2)
    box: Box = whole(rgb)[0]
    return crop(rgb, box)


if __name__ == "__main__":
    main()
