"""Class folders of patterns that a small network can tell apart, and such a network."""

import keras
import numpy as np
from PIL import Image

CLASSES = ("rows", "stripes", "étoile")


def pattern(code, random):
    """Return a 48 x 48 image: rows, stripes or nothing, with noise of its own."""
    values = random.normal(128, 25, (48, 48))
    wave = 60 * np.sign(np.sin(np.arange(48) * random.uniform(0.8, 1.2)))
    values += [wave[:, None], wave[None], 0][code]
    return values.clip(0, 255).astype(np.uint8)


def write_folders(folder, counts, split="", seed=0):
    """Write counts[i] images of class i as PNG files into `folder`/`split`/CLASS; return `folder`."""
    random = np.random.default_rng(seed)
    for code, count in enumerate(counts):
        place = folder / split / CLASSES[code]
        place.mkdir(parents=True)
        for number in range(count):
            Image.fromarray(pattern(code, random)).save(place / f"{number}.png")
    return folder


def base_network():
    """Return a network of seven classes with random weights."""
    keras.utils.set_random_seed(0)
    images = keras.Input((48, 48, 1))
    x = keras.layers.Conv2D(8, 5, 2, activation="relu")(keras.layers.Rescaling(1 / 255)(images))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(images, keras.layers.Dense(7, "softmax")(x))
