"""Fine-tuning a shipped network against training the same network from scratch, on 50, 200 and 1,000 images.

    python benchmarks/finetuning.py --data fer2013.csv --output experiments/finetuning.json

The images are those of PublicTest of which no copy is in Training, by FER+'s majority over eight classes: the base
has seen neither the images nor the labels. A copy is an image, or its mirror image, whose difference hash is at
most `NEAR` of 64 bits away. For each seed, 50, 200 and 1,000 images are drawn, at least two of each class, a fifth
of them for validation; all others are the test images. Both ways get the same images, augmentation, batches
and epochs, all of which are trained; each takes the epoch and the one of three learning rates with the lowest
validation loss. Fine-tuning starts from the fitted last layer. Needs `fer2013new.csv` of FER+ beside the data.
"""

import json
import pathlib

import click
import numpy as np
from scipy import stats

from fer_keras import pretrained
from fer_keras.backend import device, machine, private
from fer_keras.data import Faces, load
from fer_keras.data.aliases import PUBLIC, TRAINING
from fer_keras.inference.prediction import probabilities
from fer_keras.training import finetuning

SIZES = (50, 200, 1000)
SEEDS = (0, 1, 2)
RATES = (2e-4, 1e-3, 5e-3)
EPOCHS = 30
NEAR = 4  # bits: a moved or recompressed copy differs in fewer, two faces in about 32


def difference_hashes(images):
    """Return uint64 (n,): bit by bit, whether each of 8 x 8 cells is darker than its right neighbour."""
    side = images.shape[1]
    rows, columns = np.arange(9) * side // 8, np.arange(10) * side // 9
    blocks = np.add.reduceat(np.asarray(images[..., 0], "float32"), rows[:-1], axis=1)
    blocks = np.add.reduceat(blocks, columns[:-1], axis=2) / np.diff(columns)
    bits = (blocks[:, :, :-1] < blocks[:, :, 1:]).reshape(len(images), 64)
    return np.packbits(bits, axis=1).view(np.uint64)[:, 0]


def without_copies(faces):
    """Return the PublicTest images of `faces` without a near copy in Training, and how many there were."""
    train, test = faces.take(faces.usages == TRAINING), faces.take(faces.usages == PUBLIC)
    known = difference_hashes(np.asarray(train.images))
    images = np.asarray(test.images)
    nearest = [
        np.array([np.bitwise_count(known ^ one).min() for one in difference_hashes(turned)])
        for turned in (images, images[:, :, ::-1])
    ]
    return test.take(np.minimum(*nearest) > NEAR), len(test)


def draw(labels, size, seed):
    """Return indices of training and validation images drawn at random, at least one of each class in both."""
    order = np.random.default_rng(seed).permutation(len(labels))
    first, second = np.stack([order[labels[order] == code][:2] for code in np.unique(labels)], axis=1)
    others = order[~np.isin(order, [first, second])][: size - 2 * len(first)]
    kept = size // 5 - len(second)
    return np.concatenate([first, others[kept:]]), np.concatenate([second, others[:kept]])


def scratch(body, classes, seed):
    """Return the network of `body` with new weights, from images to logits; only its normalization stays.

    The momentum of its batch normalization is 0.9: with 0.99, the moving statistics lag behind in so few steps.
    """
    import keras  # after fer_keras, which chooses the backend

    keras.utils.set_random_seed(seed)
    new = keras.models.clone_model(body)
    for layer in private.flatten_layers(new):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9
    return keras.Model(new.inputs[0], keras.layers.Dense(classes, dtype="float32", name="logits")(new.outputs[0]))


def tuned(start, train, validation, seed):
    """Return the network of the lowest validation loss over `RATES`, and its rate; `start` returns a new one."""
    tried = []
    for rate in RATES:
        model = start()
        rows = finetuning.fit_all(
            model, train, validation, seed, learning_rate=rate, epochs=EPOCHS, patience=EPOCHS
        )
        tried.append((min(row["val_loss"] for row in rows), model, rate))
    return min(tried, key=lambda one: one[0])[1:]


def accuracy(model, faces):
    return float((probabilities(model, faces.images).argmax(axis=1) == faces.labels).mean())


def compared(base, faces: Faces, size, seed):
    """Return the test accuracy of both ways for one draw of `size` images."""
    classes = len(faces.class_names)
    learned, kept = draw(faces.labels, size, seed)
    rest = np.setdiff1d(np.arange(len(faces)), [*learned, *kept])
    train, validation, test = faces.take(learned), faces.take(kept), faces.take(rest)
    body = finetuning.body_of(base)
    features = finetuning.features_of(body, train, validation, lambda count: None)
    head = finetuning.fit_head(features, np.arange(len(train)), classes)
    fine, fine_rate = tuned(lambda: finetuning.with_head(finetuning.body_of(base), head), train, validation, seed)
    new, new_rate = tuned(lambda: scratch(body, classes, seed), train, validation, seed)
    return {
        **{"images": size, "seed": seed, "test_images": len(test)},
        **{"finetuned": accuracy(fine, test), "finetuned_rate": fine_rate},
        **{"scratch": accuracy(new, test), "scratch_rate": new_rate},
    }


def summary(rows):
    """Return for each size the mean of both ways, and their difference with its 95 % paired t interval."""
    found = []
    for size in SIZES:
        own = [row for row in rows if row["images"] == size]
        differences = np.array([row["finetuned"] - row["scratch"] for row in own])
        low, high = stats.t.interval(0.95, len(own) - 1, differences.mean(), stats.sem(differences))
        means = {way: float(np.mean([row[way] for row in own])) for way in ("finetuned", "scratch")}
        found.append({"images": size, **means, "difference": float(differences.mean()), "interval": [low, high]})
    return found


@click.command(help=__doc__)
@click.option("--data", required=True, type=click.Path(exists=True))
@click.option("--base", default="tiny", show_default=True)
@click.option("--output", required=True, type=click.Path(path_type=pathlib.Path))
def main(data, base, output):
    with device.training_in("float32"):
        faces = load(data, labels="fer+8")
        clean, count = without_copies(faces)
        click.echo(
            f"{count:,} labelled images of PublicTest, {len(clean):,} of them without a near copy in Training"
        )
        rows = []
        for size in SIZES:
            for seed in SEEDS:
                rows.append(compared(pretrained(base), clean, size, seed))
                click.echo(json.dumps(rows[-1]))
        about = {"base": base, "digest": faces.digest, "images": [count, len(clean)]}
        result = {**about, "environment": machine.environment(), "rows": rows, "summary": summary(rows)}
        output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        for line in result["summary"]:
            click.echo(json.dumps(line))


if __name__ == "__main__":
    main()
