"""Write the weights of MTCNN that the PyPI package `mtcnn` brings as fer_keras/recognition/mtcnn/*.npz and *.onnx.

    pip install mtcnn==1.0.0 joblib lz4 onnx     (in an environment of its own; TensorFlow is not needed)
    python scripts/convert_mtcnn.py

The package stores its weights as compressed pickles. Run this only with the package from PyPI, whose SHA-256
digests `pip download` checks. The weights are stored in half precision, in both forms; each ONNX file casts them
to single precision when it is loaded.
"""

import hashlib
import importlib.util
import json
import pathlib

import joblib
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fer_keras.core.files import write_json, writing
from fer_keras.recognition.mtcnn.networks import CONVOLUTIONS, FOLDER, NAMES, OUTPUTS, SIDES, UNITS


def main():
    package = pathlib.Path(importlib.util.find_spec("mtcnn").origin).parent
    arrays = {name: named(name, joblib.load(package / "assets" / "weights" / f"{name}.lz4")) for name in NAMES}
    with writing(FOLDER / "mtcnn.npz") as temporary:
        np.savez(temporary, **{f"{net}/{path}": array for net in NAMES for path, array in arrays[net].items()})
    for name in NAMES:
        with writing(FOLDER / f"{name}.onnx") as temporary:
            onnx.save(graph(name, arrays[name]), temporary)
    files = ["mtcnn.npz", *(f"{name}.onnx" for name in NAMES)]
    digests = {file: hashlib.sha256((FOLDER / file).read_bytes()).hexdigest() for file in files}
    write_json(FOLDER / "digests.json", digests)
    print(json.dumps(digests, indent=2))


def named(name, weights):
    """Return `{path of the Keras variable: float16 array}`; the package lists them in the order of the layers."""
    paths = []
    for i in range(1, len(CONVOLUTIONS[name]) + 1):
        paths += [f"conv{i}/kernel", f"conv{i}/bias", f"prelu{i}/alpha"]
    if name in UNITS:
        paths += ["dense/kernel", "dense/bias", "prelu_dense/alpha"]
    paths += [f"{output}/{part}" for output in OUTPUTS[name] for part in ("kernel", "bias")]
    return {path: array.astype("float16") for path, array in zip(paths, weights, strict=True)}


class Graph:
    """Nodes and half-precision weights of an ONNX graph under construction."""

    def __init__(self):
        self.nodes, self.weights = [], []

    def add(self, kind, *inputs, output=None, **attributes):
        output = output or f"value{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, name, array):
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array, "float16"), name))
        return self.add("Cast", name, to=TensorProto.FLOAT)


def graph(name, arrays):
    """Return the ONNX model: `images` uint8 (n, height, width, 3) to the outputs, as the Keras model has them."""
    g = Graph()
    side, dense = SIDES.get(name, "side"), name in UNITS
    x = g.add("Cast", "images", to=TensorProto.FLOAT)
    x = g.add("Mul", g.add("Sub", x, g.constant("middle", [127.5])), g.constant("scale", [1 / 128]))
    x = g.add("Transpose", x, perm=(0, 3, 1, 2))
    for i, (_, _, pool) in enumerate(CONVOLUTIONS[name], start=1):
        x = convolution(g, x, arrays, f"conv{i}")
        x = g.add("PRelu", x, g.constant(f"prelu{i}", arrays[f"prelu{i}/alpha"].reshape(-1, 1, 1)))
        if pool:
            padding = "SAME_UPPER" if pool[1] == "same" else "VALID"
            x = g.add("MaxPool", x, kernel_shape=(pool[0],) * 2, strides=(2, 2), auto_pad=padding)
    if dense:
        x = g.add("Flatten", g.add("Transpose", x, perm=(0, 3, 2, 1)))
        x = product(g, x, arrays, "dense")
        x = g.add("PRelu", x, g.constant("prelu_dense", arrays["prelu_dense/alpha"]))
    for output in OUTPUTS[name]:
        y = product(g, x, arrays, output) if dense else convolution(g, x, arrays, output)
        y = y if dense else g.add("Transpose", y, perm=(0, 2, 3, 1))
        g.add("Softmax" if output == "face" else "Identity", y, output=output)
    return finished(g, name, side, dense)


def convolution(g, x, arrays, layer):
    kernel = g.constant(f"{layer}_kernel", arrays[f"{layer}/kernel"].transpose(3, 2, 0, 1))
    return g.add("Conv", x, kernel, g.constant(f"{layer}_bias", arrays[f"{layer}/bias"]))


def product(g, x, arrays, layer):
    kernel = g.constant(f"{layer}_kernel", arrays[f"{layer}/kernel"])
    return g.add("Gemm", x, kernel, g.constant(f"{layer}_bias", arrays[f"{layer}/bias"]))


def finished(g, name, side, dense):
    height, width = (side, side) if dense else ("height", "width")
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ("n", height, width, 3))
    positions = () if dense else ("rows", "columns")
    outputs = [
        helper.make_tensor_value_info(output, TensorProto.FLOAT, ("n", *positions, size))
        for output, size in OUTPUTS[name].items()
    ]
    model = helper.make_model(
        helper.make_graph(g.nodes, name, [images], outputs, g.weights),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
        producer_name="fer-keras",
        doc_string="MTCNN (Zhang et al. 2016, arXiv:1604.02878); weights of the package mtcnn 1.0.0, MIT licence.",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


if __name__ == "__main__":
    main()
