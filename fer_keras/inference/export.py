"""Models for programs without Keras: one file with the same probabilities, verified before it is published."""

import contextlib
import importlib.util
import json
import logging
import os
import pathlib
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from fer_keras import __version__
from fer_keras.core.errors import InputError
from fer_keras.core.files import writing
from fer_keras.data import EMOTIONS
from fer_keras.inference.engines import OnnxEngine
from fer_keras.inference.folding import serving_model
from fer_keras.inference.outputs import SMALLEST, temperature_of
from fer_keras.inference.prediction import probabilities
from fer_keras.model_files import calibration, class_names

TOLERANCE = 1e-4  # largest difference between Keras' probabilities and those of the file
HALF_TOLERANCE = 5e-3  # with weights in half precision
FEWEST_HALVED = 256  # values of an array that is worth a node to cast it
# By format: suffixes of its files, the Keras backend that writes it, and its packages.
SUFFIXES = {"onnx": (".onnx",), "torch": (".pt2",), "openvino": (".xml", ".bin"), "tflite": (".tflite",)}
BACKENDS = {"onnx": "torch", "torch": "torch", "openvino": "torch", "tflite": "tensorflow"}
PACKAGES = {
    "onnx": ("onnx", "onnxruntime", "onnxscript"),
    "torch": (),
    "openvino": ("openvino",),
    "tflite": ("tensorflow", "ai_edge_litert"),
}


def export(model: keras.Model, output: str | os.PathLike, format: str, *, half: bool = False) -> float:
    """Write `model` for other programs: images (n, 48, 48, 1) uint8 in, probabilities (n, classes) out, for any n.

    The file includes scaling, resizing and softmax. Before it is renamed into place, it is opened and compared
    with Keras on 64 images, one at a time, five at a time and all at once.

    Args:
        model: `keras.Model` as `fer_keras.model_files.saving.load` returns it.
        output: `str` or `Path` ending in `.onnx`, `.pt2` (for `torch.export.load`), `.xml` (OpenVINO; the weights
            go into a `.bin` file beside it) or `.tflite`.
        format: `"onnx"`, `"torch"`, `"openvino"` or `"tflite"`.
        half: for ONNX, store the weights in half precision; they are cast to single when the file is loaded.

    Returns:
        `float`, the largest difference between the probabilities.

    Raises:
        InputError: if packages are missing, Keras does not run on the backend that the format needs, the format
            does not support a layer, or the difference is above 1e-4. Then no file is written.
    """
    output = pathlib.Path(output)
    check(output, format)
    images = _images()
    metadata = _metadata(getattr(model, "class_names", EMOTIONS))
    conformal = getattr(model, "conformal", None) or {}
    if getattr(model, "temperatures", {}):  # the file applies the one without test-time augmentation
        conformal = {tta: view for tta, view in conformal.items() if tta == "none"}
    if conformal:
        metadata[calibration.KEY] = json.dumps(conformal)
    with keras.device("cpu"), contextlib.ExitStack() as stack:
        paths = [stack.enter_context(writing(output.with_suffix(suffix))) for suffix in SUFFIXES[format]]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # from PyTorch about itself
                WRITERS[format](_calibrated(model), metadata, *paths)
                if half:
                    _halve(*paths)
        except (RuntimeError, ValueError) as error:
            raise InputError(f"Model {model.name!r} cannot be written as {format}: {_reason(error)}") from error
        difference = _difference(READERS[format](*paths), images, probabilities(model, images))
        tolerance = HALF_TOLERANCE if half else TOLERANCE
        if not difference <= tolerance:
            raise InputError(
                f"Model {model.name!r} written as {format} gives probabilities that differ from Keras' by "
                f"{difference:.1e}, expected at most {tolerance}. Nothing was kept: use another format."
            )
    return difference


def _metadata(names: Sequence[str]) -> dict[str, str]:
    return {
        class_names.KEY: json.dumps(list(names), ensure_ascii=False),
        "input": "images: uint8 (n, 48, 48, 1), grey, 0 black to 255 white",
        "output": f"probabilities: float32 (n, {len(names)}), in the order of class_names",
    }


def _calibrated(model: keras.Model) -> keras.Model:
    """Return the serving model; for a released network, with its temperature without test-time augmentation."""
    network, temperature = serving_model(model), temperature_of(model, "none")
    if temperature == 1:
        return network
    logits = ops.log(ops.maximum(network.outputs[0], SMALLEST)) / temperature
    return keras.Model(network.inputs[0], ops.softmax(logits), name=model.name)


def check(output: pathlib.Path, format: str) -> None:
    """Check that `export` can write `output` in `format` here.

    Raises:
        InputError: if packages are missing, Keras does not run on the backend that the format needs, or the suffix
            is wrong.
    """
    missing = [package for package in PACKAGES[format] if importlib.util.find_spec(package) is None]
    if missing:
        raise InputError(
            f"Format {format} needs the package {', '.join(missing)}: pip install 'fer-keras[{format}]'."
        )
    if keras.backend.backend() != BACKENDS[format]:
        raise InputError(
            f"Format {format} is written by Keras on {BACKENDS[format]}. Received the backend "
            f"{keras.backend.backend()}: set KERAS_BACKEND={BACKENDS[format]}."
        )
    if output.suffix != SUFFIXES[format][0]:
        raise InputError(
            f"The file of format {format} must end in {SUFFIXES[format][0]}. Received {str(output)!r}."
        )


def _reason(error: BaseException) -> str:
    while error.__cause__:
        error = error.__cause__
    return (str(error).strip().splitlines() or [repr(error)])[0]


def _images() -> np.ndarray:
    """Return 64 images, from uniform grey over blobs to noise."""
    random = np.random.default_rng(0)
    blobs = np.kron(random.random((64, 6, 6)), np.ones((8, 8)))
    noise = random.random((64, 48, 48))
    blend = np.linspace(0, 1, 64)[:, None, None]
    contrast = random.random((64, 1, 1))
    return (255 * contrast * (blobs * (1 - blend) + noise * blend)).astype("uint8")[..., None]


def _difference(classify: Callable[[np.ndarray], np.ndarray], images: np.ndarray, expected: np.ndarray) -> float:
    found = [classify(images)]
    found += [np.concatenate([classify(images[i : i + n]) for i in range(0, len(images), n)]) for n in (1, 5)]
    return max(float(np.abs(probabilities - expected).max()) for probabilities in found)


def _program(model: keras.Model) -> Any:
    """Return `model` as an `ExportedProgram` for any number of images; its weights change their memory layout."""
    import torch

    class Program(torch.nn.Module):
        def forward(self, images: Any) -> Any:
            return model(images, training=False)

    for variable in model.variables:
        variable.value.data = variable.value.data.contiguous()  # the only layout that `torch.export.save` accepts
    sample = torch.zeros((2, 48, 48, 1), dtype=torch.uint8)  # with one image, PyTorch would fix the number
    shapes = ({0: torch.export.Dim("n", min=1)},)
    with torch.no_grad():
        program = torch.export.export(Program().eval(), (sample,), dynamic_shapes=shapes, strict=False)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # it contains paths on this machine
    return program


def _write_torch(model: keras.Model, metadata: dict[str, str], path: pathlib.Path) -> None:
    import torch

    torch.export.save(_program(model), path, extra_files={"metadata.json": json.dumps(metadata)})


def _read_torch(path: pathlib.Path) -> Callable[[np.ndarray], np.ndarray]:
    import torch

    module = torch.export.load(path).module()
    return lambda images: module(torch.from_numpy(images)).detach().numpy()


def _write_onnx(model: keras.Model, metadata: dict[str, str], path: pathlib.Path) -> None:
    import onnx
    import torch

    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns that torchvision is not installed
    names: dict[str, Any] = {"input_names": ["images"], "output_names": ["probabilities"]}
    exported = torch.onnx.export(_program(model), dynamo=True, verbose=False, **names)
    assert exported is not None  # with `dynamo`, unless a file is given
    proto = exported.model_proto
    proto.producer_name, proto.producer_version = "fer_keras", __version__
    onnx.helper.set_model_props(proto, metadata)
    for tensor in (*proto.graph.input, *proto.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = "n"
    for part in (*proto.graph.input, *proto.graph.output, *proto.graph.node):
        del part.metadata_props[:]
    del proto.graph.value_info[:]
    onnx.checker.check_model(proto, full_check=True)
    path.write_bytes(proto.SerializeToString())


def _halve(path: pathlib.Path) -> None:
    """Store the large arrays of an ONNX file in half precision, each with a node that casts it."""
    import onnx

    proto = onnx.load(path)
    casts = []
    for tensor in proto.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and np.prod(tensor.dims) >= FEWEST_HALVED:
            name, values = tensor.name, onnx.numpy_helper.to_array(tensor).astype("float16")
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, f"{name}_half"))
            casts.append(onnx.helper.make_node("Cast", [tensor.name], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *proto.graph.node]
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    onnx.checker.check_model(proto, full_check=True)
    path.write_bytes(proto.SerializeToString())


def _read_onnx(path: pathlib.Path) -> OnnxEngine:
    return OnnxEngine(path, trusted=True)


def _write_openvino(
    model: keras.Model, metadata: dict[str, str], path: pathlib.Path, weights: pathlib.Path
) -> None:
    import openvino

    converted = openvino.convert_model(_program(model))
    converted.inputs[0].get_tensor().set_names({"images"})
    converted.outputs[0].get_tensor().set_names({"probabilities"})
    for name, value in metadata.items():
        converted.set_rt_info(value, name)
    openvino.serialize(converted, path, weights)


def _read_openvino(path: pathlib.Path, weights: pathlib.Path) -> Callable[[np.ndarray], np.ndarray]:
    import openvino

    core = openvino.Core()
    # By default, CPUs with AMX compute in bfloat16; whoever serves the file can choose that.
    compiled = core.compile_model(core.read_model(path, weights), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda images: compiled(images)[0]


def _write_tflite(model: keras.Model, metadata: dict[str, str], path: pathlib.Path) -> None:
    model.export(str(path), format="litert", verbose=False)


def _read_tflite(path: pathlib.Path) -> Callable[[np.ndarray], np.ndarray]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    source, target = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def classify(images: np.ndarray) -> np.ndarray:
        interpreter.resize_tensor_input(source, images.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(source, images)
        interpreter.invoke()
        return interpreter.get_tensor(target)

    return classify


WRITERS: dict[str, Callable] = {
    "onnx": _write_onnx,
    "torch": _write_torch,
    "openvino": _write_openvino,
    "tflite": _write_tflite,
}
READERS: dict[str, Callable] = {
    "onnx": _read_onnx,
    "torch": _read_torch,
    "openvino": _read_openvino,
    "tflite": _read_tflite,
}
