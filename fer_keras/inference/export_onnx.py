"""Exports a `.keras` file to ONNX in a process of its own, so that the 700 MiB of Keras and PyTorch end with it.

python -m fer_keras.inference.export_onnx SOURCE TARGET SETTINGS
"""

import json
import os
import pathlib
import subprocess
import sys

from fer_keras.core.choices import InputScale
from fer_keras.core.errors import InputError

FAILED = 2  # exit code after an `InputError`; its message is the last line of stderr


def export_in_child(
    source: pathlib.Path,
    target: pathlib.Path,
    classes: tuple[str, ...] | None,
    input_scale: InputScale | None,
    trusted: bool,
) -> None:
    """Write the `.keras` file `source` as the ONNX file `target`; arguments as for `opening.open_engine`.

    Raises:
        InputError: as `saving.load` and `export.export`.
    """
    settings = {"classes": classes, "input_scale": input_scale, "trusted": trusted}
    command = [sys.executable, "-P", "-m", __name__, str(source), str(target), json.dumps(settings)]
    environment = os.environ | {"KERAS_BACKEND": "torch", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, env=environment, check=False)
    if done.returncode == FAILED and done.stderr.strip():
        raise InputError(done.stderr.strip().splitlines()[-1])
    if done.returncode:
        raise RuntimeError(f"The export of {source} ended with {done.returncode}:\n{done.stderr}")


def main(source: str, target: str, settings: str) -> None:
    from fer_keras.inference import export
    from fer_keras.inference.input_scale import with_scale
    from fer_keras.model_files import saving

    values = json.loads(settings)
    classes = tuple(values["classes"]) if values["classes"] else None
    try:
        network = saving.load(pathlib.Path(source), classes=classes, trusted=values["trusted"])
        export.export(with_scale(network, values["input_scale"]), target, "onnx")
    except InputError as error:
        print(str(error).replace("\n", " "), file=sys.stderr)
        sys.exit(FAILED)


if __name__ == "__main__":
    main(*sys.argv[1:])
