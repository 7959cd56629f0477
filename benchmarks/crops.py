"""How a face must be cut for a model of FER-2013: what each detector finds in its images, and what each cut costs.

    python benchmarks/crops.py MODEL [--data fer2013.csv] [--split validation] [--seed 0] [--faces 3000]

MODEL is a .keras file or the name of a pretrained network. The images are enlarged four times, surrounded by a
repeated edge, and searched by both detectors. The frame of the image is what FER-2013's makers cut. The model
classifies the faces cut in different ways; a face that was not found counts as wrong in "all", and "both" are the
faces that both detectors find. Then it classifies the images themselves reduced to few pixels, and narrow ones
widened or stretched. Choose by a split that the model was not trained on.
"""

import pathlib

import click
import numpy as np
from PIL import Image

from fer_keras import data
from fer_keras.inference import prediction
from fer_keras.model_files import pretrained, saving
from fer_keras.recognition.crops import crop, roll
from fer_keras.recognition.detection import detector

SCALE, BORDER = 4, 96  # pixels of border on each side of the enlarged image of 192 pixels
MARGINS = (-0.2, -0.1, -0.05, 0.0, 0.05, 0.1, 0.2)
SIZES = (48, 36, 24, 18, 12)


@click.command(help=__doc__)
@click.argument("model", type=click.Path(path_type=pathlib.Path))
@click.option("--data", "path", type=click.Path())
@click.option("--split", type=click.Choice(["validation", "test"]), default="validation", show_default=True)
@click.option("--seed", default=0, show_default=True, help="Of the draw of the validation images, as in training.")
@click.option("--faces", "count", default=3000, show_default=True)
def main(model, path, split, seed, count):
    model = saving.load(model) if model.is_file() else pretrained.pretrained(str(model))
    faces = data.split(data.load(path), seed)[split]
    chosen = np.sort(np.random.default_rng(0).choice(len(faces), min(count, len(faces)), replace=False))
    images, labels = faces.images[chosen], faces.labels[chosen]
    scenes = [scene(image[..., 0]) for image in images]
    boxes = {name: [main_face(boxes) for boxes in map(detector(name), scenes)] for name in ("mtcnn", "haar")}
    both = [all(pair) for pair in zip(*boxes.values(), strict=True)]

    def right(cuts, some=slice(None)):
        """Return for each image whether its face was found and is classified rightly."""
        result = np.zeros(len(labels), bool)
        result[some] = prediction.probabilities(model, np.stack(cuts)).argmax(axis=1) == labels[some]
        return result

    def show(name, result):
        click.echo(f"| {name} | {100 * result.mean():.2f} | {100 * result[both].mean():.2f} |")

    for name, found in boxes.items():
        describe(name, [box for box in found if box])
    click.echo(f"\n{split}, {len(labels)} images, {sum(both)} found by both; accuracy, %\n")
    click.echo("| cut | all | both |\n|---|--:|--:|")
    show("FER-2013's frame", right(images))
    for name, found in boxes.items():
        some = [i for i, box in enumerate(found) if box]
        for margin in MARGINS:
            show(f"{name}, margin {margin:+.2f}", right([crop(scenes[i], found[i], margin) for i in some], some))
        if name == "mtcnn":
            level = [crop(scenes[i], found[i], angle=roll(found[i].landmarks)) for i in some]
            show("mtcnn, eyes level", right(level, some))
    for size in SIZES:
        show(f"the frame reduced to {size} pixels", right([recut(resized(image, size, size)) for image in images]))
    narrow = images[:, :, 6:42]
    show("the frame's middle, 36 x 48, widened", right([recut(image[..., 0]) for image in narrow]))
    show("the frame's middle, stretched", right([resized(image, 48, 48)[..., None] for image in narrow]))


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


def describe(name, boxes):
    sides = np.array([192 / max(box.width, box.height) for box in boxes])
    middles = np.array([(box.x + box.width / 2 - BORDER, box.y + box.height / 2 - BORDER) for box in boxes]) / 192
    click.echo(
        f"{name}: {len(boxes)} found; frame / longer side of the box, quartiles "
        f"{np.percentile(sides, [25, 50, 75]).round(3)}; middle of the box in the frame, median "
        f"{np.median(middles, axis=0).round(3)}"
    )


def resized(image, width, height):
    return np.asarray(Image.fromarray(image.squeeze()).resize((width, height), Image.Resampling.BICUBIC))


def recut(image):
    """Return what the package sees of the whole image, (height, width)."""
    return crop(np.repeat(image[..., None], 3, axis=2), (0, 0, image.shape[1], image.shape[0]))


if __name__ == "__main__":
    main()
