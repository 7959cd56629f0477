"""Networks that come with the package: half-precision weights, architecture, ONNX file and model card.

Only `pretrained` and `pack` load Keras.
"""

import hashlib
import io
import json
import os
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_keras.core import renames
from fer_keras.core.errors import InputError
from fer_keras.core.files import StrPath, check_digest, write_json, writing
from fer_keras.data import EMOTIONS

if TYPE_CHECKING:
    import keras

FOLDER = pathlib.Path(__file__).with_name("weights")


def pretrained(name: str = "best", *, folder: StrPath = FOLDER) -> "keras.Model":
    """Return a trained network: images (n, 48, 48, 1) of values [0, 255] to probabilities (n, classes).

    Args:
        name: `"best"`, `"tiny"` for one under 1 MB, or `"ferplus"` for one of FER+'s eight classes.
        folder: where the files are, as `pack` writes them; by default those of the package.

    Returns:
        A `keras.Model`, not compiled, with the attributes `class_names`, a tuple, `temperatures`, with which
        `fer_keras.inference.prediction.probabilities` calibrates its results for each test-time augmentation, and
        `conformal`, the thresholds of its prediction sets or None.

    Raises:
        InputError: if there is no such network, or its file is not the released one.
    """
    import keras

    from fer_keras.backend.keras_defaults import keras_defaults
    from fer_keras.backend.layers import fast_config

    about = card(name, folder=folder)
    path = pathlib.Path(folder, about["weights"])
    data = path.read_bytes()
    check_digest(data, about["sha256"], path)
    with keras_defaults():
        model = keras.saving.deserialize_keras_object(fast_config(about["architecture"]))
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        for variable in model.weights:
            variable.assign(arrays[variable.path].astype("float32"))
    model.class_names = class_names(about)
    model.temperatures, model.conformal = about["temperatures"], about.get("conformal")
    return model


def class_names(about: dict) -> tuple[str, ...]:
    """Return the names of a network's outputs by its card; cards before 0.2.0 do not hold any."""
    return tuple(about["data"].get("class_names", EMOTIONS))


def onnx_path(name: str = "best", *, folder: StrPath = FOLDER) -> pathlib.Path:
    """Return the ONNX file of a trained network, for `fer_keras.inference.engines.OnnxEngine`.

    Raises:
        InputError: if there is no such network, or its file is not the released one.
    """
    about = card(name, folder=folder)
    path = pathlib.Path(folder, about["onnx"])
    check_digest(path.read_bytes() if path.is_file() else b"", about["onnx_sha256"], path)
    return path


def is_name(model: Any) -> bool:
    """Return whether `model` names a network of the package, not a file: "best", but not "best.keras"."""
    name = os.fspath(model) if isinstance(model, str | os.PathLike) else ""
    return name.isidentifier()


def refuse_options(model: StrPath, classes: Sequence[str] | None, input_scale: str | None) -> None:
    """Check that nothing is given that a network of the package or an ONNX file itself states.

    Raises:
        InputError: if class names or an input scale are given.
    """
    if classes is not None:
        raise InputError(f"{model} names its own classes. Leave out --class-order (in Python, the class names).")
    if input_scale is not None:
        raise InputError(f"{model} states its own input scale. Leave out --input-scale (in Python, input_scale=).")


def card(name: str = "best", *, folder: StrPath = FOLDER) -> dict[str, Any]:
    """Return the model card of a trained network as a `dict`: how it was trained, its figures, its architecture.

    Raises:
        InputError: if there is no such network.
    """
    path = pathlib.Path(folder, f"{name}.json")
    if not path.is_file():
        there = ", ".join(sorted(p.stem for p in pathlib.Path(folder).glob("*.json")))
        raise InputError(f"No trained network {name!r}. Expected one of: {there or 'none is here'}.")
    about = renames.read_record(json.loads(path.read_text(encoding="utf-8")))
    return {"weights": f"{name}.npz", "onnx": f"{name}.onnx", "temperatures": {}} | about  # as before 0.2.0


def pack(
    model: "keras.Model", onnx: StrPath, about: Mapping[str, Any], name: str, folder: StrPath
) -> pathlib.Path:
    """Write a network into `folder` and return the path of its card, NAME.json.

    The names of the half-precision weights and of the ONNX file contain their digests, so nothing is replaced. The
    card is written last and publishes them; then the files of an older network of that name are removed.

    Args:
        model: functional `keras.Model` of Keras' own layers, see `layers.plain`.
        onnx: the ONNX file of the same network.
        about: content of the card.
    """
    from keras import ops

    folder = pathlib.Path(folder)
    buffer = io.BytesIO()
    np.savez(buffer, **{v.path: ops.convert_to_numpy(v).astype("float16") for v in model.weights})
    weights, weights_digest = _publish(buffer.getvalue(), name, ".npz", folder)
    served, onnx_digest = _publish(pathlib.Path(onnx).read_bytes(), name, ".onnx", folder)
    files = {"weights": weights, "sha256": weights_digest, "onnx": served, "onnx_sha256": onnx_digest}
    path = folder / f"{name}.json"
    write_json(path, {"name": name, **files, **about, "architecture": json.loads(model.to_json())})
    for old in folder.iterdir():
        if (
            re.fullmatch(rf"{re.escape(name)}(-[0-9a-f]{{12}})?\.(npz|onnx)", old.name)
            and old.name not in files.values()
        ):
            old.unlink()
    return path


def _publish(data: bytes, name: str, suffix: str, folder: pathlib.Path) -> tuple[str, str]:
    digest = hashlib.sha256(data).hexdigest()
    path = folder / f"{name}-{digest[:12]}{suffix}"
    with writing(path) as temporary:
        temporary.write_bytes(data)
    return path.name, digest
