"""Networks that come with the package: half-precision weights, their architecture and their model card.

Only `pretrained` and `pack` load Keras.
"""

import hashlib
import io
import json
import os
import pathlib

import numpy as np

from fer_keras.core import renames
from fer_keras.core.errors import InputError
from fer_keras.core.files import check_digest, write_json, writing
from fer_keras.data import EMOTIONS

FOLDER = pathlib.Path(__file__).with_name("weights")


def pretrained(name="best", *, folder=FOLDER):
    """Return a trained network: images (n, 48, 48, 1) of values [0, 255] to probabilities (n, 7), calibrated.

    Args:
        name: `"best"`, or `"tiny"` for one under 1 MB.
        folder: where the files are, as `pack` writes them; by default those of the package.

    Returns:
        A `keras.Model`, not compiled, with the attribute `class_names`, a tuple.

    Raises:
        InputError: if there is no such network, or its file is not the one that was released.
    """
    import keras

    from fer_keras.backend.layers import fast_config

    about = card(name, folder=folder)
    path = pathlib.Path(folder, f"{name}.npz")
    data = path.read_bytes()
    check_digest(data, about["sha256"], path)
    model = keras.saving.deserialize_keras_object(fast_config(about["architecture"]))
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        for variable in model.weights:
            variable.assign(arrays[variable.path].astype("float32"))
    model.class_names = class_names(about)
    return model


def class_names(about: dict) -> tuple[str, ...]:
    """Return the names of a network's outputs by its card; cards before 0.2.0 do not hold any."""
    return tuple(about["data"].get("class_names", EMOTIONS))


def onnx_path(name: str = "best", *, folder=FOLDER) -> pathlib.Path:
    """Return the ONNX file of a trained network, for `fer_keras.inference.engines.OnnxEngine`.

    Raises:
        InputError: if there is no such network, or its file is not the one that was released.
    """
    about, path = card(name, folder=folder), pathlib.Path(folder, f"{name}.onnx")
    if not path.is_file():
        raise InputError(f"{path} is missing: install the package again.")
    check_digest(path.read_bytes(), about["onnx_sha256"], path)
    return path


def is_name(model) -> bool:
    """Whether `model` names a network that comes with the package, not a file: "best", but not "best.keras"."""
    name = os.fspath(model) if isinstance(model, str | os.PathLike) else ""
    return name.isidentifier()


def card(name="best", *, folder=FOLDER):
    """Return what is known of a trained network, as a `dict`: how it was made, its figures, its architecture.

    Raises:
        InputError: if there is no such network.
    """
    path = pathlib.Path(folder, f"{name}.json")
    if not path.is_file():
        there = ", ".join(sorted(p.stem for p in pathlib.Path(folder).glob("*.json")))
        raise InputError(f"No trained network {name!r}. Expected one of: {there or 'none is here'}.")
    return renames.read_record(json.loads(path.read_text(encoding="utf-8")))


def pack(model, about, name, folder):
    """Write `model` as NAME.npz, its weights in half precision, and NAME.json into `folder`; return their paths.

    Args:
        model: functional `keras.Model` of Keras' own layers, see `layers.plain`.
        about: `dict` for the JSON file.
    """
    from keras import ops

    weights, text = pathlib.Path(folder, f"{name}.npz"), pathlib.Path(folder, f"{name}.json")
    with writing(weights) as temporary:
        np.savez(temporary, **{v.path: ops.convert_to_numpy(v).astype("float16") for v in model.weights})
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    write_json(text, {"name": name, "sha256": digest, **about, "architecture": json.loads(model.to_json())})
    return weights, text
