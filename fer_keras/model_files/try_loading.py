"""Builds a model from an untrusted file and runs it once, in a process with limited time and memory.

python -m fer_keras.model_files.try_loading PATH < PATH
"""

import sys

import keras
import numpy as np

from fer_keras.core import limited
from fer_keras.model_files import safe_loading


def try_loading(data: bytes, path: str) -> None:
    """Load the `.keras` file with the content `data` and run it on one image."""
    model = safe_loading.build(safe_loading.parse(data, path), path)
    try:
        # Dimensions that are not fixed get the size of FER-2013's images.
        shapes = [tuple(tensor.shape[1:]) for tensor in getattr(model, "inputs", None) or []]
        images = [np.zeros((1, *(48 if n is None else n for n in shape)), "float32") for shape in shapes]
        if images:
            model.predict_on_batch(images if len(images) > 1 else images[0])
    except Exception as error:
        raise safe_loading.InputError(f"{path} cannot be run by Keras: {safe_loading.reason(error)}") from error


if __name__ == "__main__":
    keras.ops.zeros(1)  # the start of the backend does not count
    limited.work(try_loading, sys.stdin.buffer.read(), sys.argv[1])
