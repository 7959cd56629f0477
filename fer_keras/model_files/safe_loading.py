"""Checks of a `.keras` file before Keras builds anything from it.

A model file can name code to run, files to read and sizes beyond any machine. So this module lists what is known
to be harmless and refuses everything else. docs/reliability.md lists the published attacks with the test of each.
"""

import collections
import dataclasses
import io
import json
import math
import pathlib
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import h5py
import keras

from fer_keras.backend import deserialization, private
from fer_keras.backend.layers import FAST, fast_config
from fer_keras.core.errors import InputError, first_line
from fer_keras.model_files import calibration, class_names

CONFIG, WEIGHTS, METADATA = "config.json", "model.weights.h5", "metadata.json"
MEMBERS = {METADATA, CONFIG, WEIGHTS}
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
MOST_BYTES = 2 << 30  # of the whole file, unpacked
MOST_EXPANSION = 20  # unpacked bytes per byte of the file, beyond the next limit
FEW_BYTES = 64 << 20  # unpacked bytes that any file may have
MOST_CONFIG_BYTES = 16 << 20
MOST_DEPTH = 100  # of the configuration's braces and brackets
MOST_WEIGHTS = 50_000
MOST_VALUES = 1 << 25  # of one image in any layer: 128 MiB in float32
MOST_TOTAL = 1 << 28  # of one image in all layers; EfficientNetB3 at 300 x 300 has 88 million
MOST_WORK = 1 << 37  # multiplications for one image; VGG16 at 224 x 224 takes 2**34
MOST_PLAIN_OBJECTS = 10_000  # layers, initializers, tensors …; ResNet152 has 5,000

MODELS = {"Functional", "Model", "Sequential"}
# Layers that contain code, or read files and vocabularies.
REFUSED = {
    *("FlaxLayer", "JaxLayer", "Lambda", "TFSMLayer", "TorchModuleWrapper"),
    *("HashedCrossing", "Hashing", "IntegerLookup", "StringLookup", "TextVectorization"),
}
MODULES = {  # {module: its allowed classes, None for all}
    "keras": MODELS | {"DTypePolicy", "DTypePolicyMap", "FloatDTypePolicy", "QuantizedDTypePolicy"},
    "keras.models": MODELS,
    "keras.src.models.functional": {"Functional"},
    "keras.src.models.sequential": {"Sequential"},
    "keras.random": {"SeedGenerator"},
    "keras.src.random.seed_generator": {"SeedGenerator"},
    **dict.fromkeys(
        (
            *("keras.layers", "keras.initializers", "keras.regularizers", "keras.constraints"),
            *("keras.activations", "keras.dtype_policies"),
        )
    ),
}
OPERATIONS = "keras.src.ops."  # classes of operations such as `x + 1` in a graph of layers
FUNCTIONS = {"builtins", "keras.activations", "keras.initializers", "keras.regularizers", "keras.constraints"}
VALUES = {"__bytes__", "__ellipsis__", "__keras_tensor__", "__numpy__", "__slice__", "__tensor__"}
NUMBERS = {
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("bfloat16", "float16", "float32", "float64"),
}
# Classes whose cost is bounded by the shapes of their inputs, outputs and weights. A model of these alone is built
# in this process. Any other is first built in a separate one, see `fer_keras.model_files.try_loading`.
PLAIN = {
    *MODELS,
    *(*FAST, "DTypePolicy", "FloatDTypePolicy", "SeedGenerator", "InputLayer", "function", "__keras_tensor__"),
    *("Dense", "DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose", "Normalization", "Rescaling"),
    *("LayerNormalization", "GroupNormalization", "AveragePooling2D", "GlobalAveragePooling2D"),
    *("GlobalMaxPooling2D", "Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax"),
    *("Flatten", "Reshape", "Permute", "Cropping2D", "ZeroPadding2D", "UpSampling2D", "Identity"),
    *("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"),
    *("SpatialDropout2D", "GaussianDropout", "GaussianNoise", "ActivityRegularization"),
    *("RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast", "RandomBrightness"),
    *("RandomCrop", "RandomErasing", "L1", "L2", "L1L2", "MaxNorm", "NonNeg", "UnitNorm", "MinMaxNorm"),
    *("Zeros", "Ones", "Constant", "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling"),
    *("GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal", "LecunUniform"),
}


@dataclasses.dataclass(frozen=True)
class Content:
    """The checked content of a `.keras` file.

    Args:
        config: the configuration of the model without its training settings, with this project's fast layers.
        weights: bytes of the HDF5 file.
        class_names: of the outputs, in their order, or None if the file does not name them.
        conformal: thresholds of prediction sets by test-time augmentation, or None if the file has none.
    """

    config: dict
    weights: bytes = dataclasses.field(repr=False)
    class_names: tuple[str, ...] | None
    conformal: dict | None = None


def parse(data: bytes, path: object) -> Content:
    """Return the content of a `.keras` file after checking its classes, names and arrays; nothing is built.

    Args:
        data: bytes of the file.
        path: its path, for messages.

    Raises:
        InputError: if the file is damaged, larger than `MOST_BYTES`, or contains what this project does not load.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _refuse(path, _member_faults(archive, len(data)))
            config, weights = json.loads(archive.read(CONFIG)), archive.read(WEIGHTS)
            metadata = json.loads(archive.read(METADATA)) if METADATA in archive.namelist() else {}
        metadata = metadata if isinstance(metadata, dict) else {}
        names, conformal = metadata.get(class_names.KEY), metadata.get(calibration.KEY)
        names = None if names is None else class_names.check(names, path)
        conformal = None if conformal is None else calibration.check(conformal, path)
        config = fast_config(config)
        _refuse(path, _config_faults(config))
        with h5py.File(io.BytesIO(weights)) as file:
            _refuse(path, _weight_faults(file, len(weights)))
    except InputError:
        raise
    except Exception as error:  # zipfile, json and h5py raise many kinds of errors on malformed input
        raise InputError(f"{path} cannot be loaded by Keras: {reason(error)}") from error
    return Content(config, weights, names, conformal)


def is_plain(content: Content) -> bool:
    """Return whether the shapes of the model's layers bound the cost of building and running it."""
    counts = _classes(content.config)
    return set(counts) <= PLAIN and counts.total() <= MOST_PLAIN_OBJECTS


def build(content: Content, path: object) -> keras.Model:
    """Return the model of `content`, after checking the sizes of its layers without allocating them.

    Raises:
        InputError: if Keras cannot build it, or it is too large.
    """
    try:
        shapes = deserialization.build_without_weights(content.config)
        if not shapes.built:
            raise InputError(f"{path} holds a model without shapes: call it on an image before you save it.")
        _refuse(path, _size_faults(shapes, len(content.weights)))
        return _with_weights(deserialization.build(content.config), content.weights)
    except InputError:
        raise
    except Exception as error:  # Keras' error depends on what is damaged
        raise InputError(f"{path} cannot be loaded by Keras: {reason(error)}") from error


def _with_weights(model: keras.Model, weights: bytes) -> keras.Model:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "model.weights.h5")
        path.write_bytes(weights)
        model.load_weights(path)
    return model


def _classes(config: Any) -> collections.Counter[str]:
    """Count the names of all classes in a configuration."""
    counts: collections.Counter[str] = collections.Counter()
    values = [config]
    while values:
        value = values.pop()
        if isinstance(value, dict):
            if isinstance(value.get("class_name"), str):
                counts[value["class_name"]] += 1
            values += value.values()
        elif isinstance(value, list):
            values += value
    return counts


def reason(error: BaseException) -> str:
    """Return the innermost message of one of Keras' errors as one line."""
    return first_line(str(error).rpartition("Exception encountered: ")[2].strip() or error)[:500]


def _refuse(path: object, faults: Iterable[str]) -> None:
    for fault in faults:
        raise InputError(f"{path} is refused: {fault}. Only files that plain Keras layers need are loaded.")


def _member_faults(archive: zipfile.ZipFile, packed: int) -> Iterator[str]:
    members = archive.infolist()
    names = [member.filename for member in members]
    if sorted(names) != sorted(MEMBERS & set(names)) or not {CONFIG, WEIGHTS} <= set(names):
        yield f"it holds {', '.join(map(repr, names[:6])) or 'nothing'} instead of {', '.join(sorted(MEMBERS))}"
    if any(member.flag_bits & 1 for member in members):
        yield "it is encrypted"
    if any(member.compress_type not in PACKED for member in members):
        yield "it is compressed by another method than deflate"
    total, most = sum(member.file_size for member in members), max(FEW_BYTES, MOST_EXPANSION * packed)
    if total > min(most, MOST_BYTES):
        yield f"it unpacks to {total:,} bytes, more than {min(most, MOST_BYTES):,}"
    size = sum(member.file_size for member in members if member.filename == CONFIG)
    if size > MOST_CONFIG_BYTES:
        yield f"its {CONFIG} unpacks to {size:,} bytes, more than {MOST_CONFIG_BYTES:,}"


def _config_faults(config: Any) -> Iterator[str]:
    if not (isinstance(config, dict) and config.get("class_name") in MODELS):
        yield f"{CONFIG} describes no functional or sequential model"
    values = [(config, 0)]
    while values:
        value, depth = values.pop()
        if depth > MOST_DEPTH:
            yield f"{CONFIG} is nested more than {MOST_DEPTH} deep"
        if isinstance(value, dict):
            if "class_name" in value:
                yield from _class_faults(value)
                yield from _array_value_faults(value)
            if not _is_plain(value.get("name")):
                yield f"a layer is called {value['name']!r:.60}, which could be a path"
            values += [(item, depth + 1) for item in value.values()]
        elif isinstance(value, list):
            values += [(item, depth + 1) for item in value]


def _is_plain(name: Any) -> bool:
    return not isinstance(name, str) or name.isprintable() and ".." not in name and not set(name) & set("/\\:")


def _class_faults(config: Any) -> Iterator[str]:
    name, module, registered = config["class_name"], config.get("module"), config.get("registered_name")
    if not isinstance(name, str) or not isinstance(module, str | None) or not isinstance(registered, str | None):
        yield f"it names the class {name!r:.60} of {module!r:.60}"
        return
    if name == "function":
        allowed = module in FUNCTIONS and registered in (None, name, config.get("config"))
    elif module is None:  # Keras looks these up among its own objects
        allowed = name in VALUES or name not in REFUSED and name[:1].isalpha() and registered in (None, name)
    elif registered not in (None, name):
        allowed = module == "fer_keras.backend.layers" and name in FAST and registered == f"fer_keras>{name}"
    elif module.startswith(OPERATIONS):
        allowed = name[:1].isupper()
    else:
        classes = MODULES.get(module, ())
        allowed = name[:1].isupper() and name not in REFUSED and (classes is None or name in classes)
    if not allowed:
        yield f"it names {registered or name!r:.60} of {module!r:.60}, which can run code or read files"


def _array_value_faults(value: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the type of an array in the configuration; text would be an array, too."""
    if value["class_name"] in ("__numpy__", "__tensor__"):
        dtype = value["config"].get("dtype") if isinstance(value.get("config"), dict) else None
        if not isinstance(dtype, str) or dtype not in NUMBERS:
            yield f"an array of {CONFIG} is of the type {dtype!r:.60}, which is no type of numbers"


def _weight_faults(file: h5py.File, size: int) -> Iterator[str]:
    groups, total = [file], 0
    seen: set[int] = set()
    while groups:
        group = groups.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                yield f"{WEIGHTS} has a link at {name!r:.60}, which could lead to another file"
            item = group[name]
            place = h5py.h5o.get_info(item.id).addr
            if place in seen or len(seen) > MOST_WEIGHTS:
                yield f"{WEIGHTS} holds something twice, or more than {MOST_WEIGHTS:,} arrays"
            seen.add(place)
            if isinstance(item, h5py.Group):
                groups.append(item)
            else:
                yield from _array_faults(item)
                total += item.nbytes
    if total > size:
        yield f"the arrays of {WEIGHTS} declare {total:,} bytes, but it has only {size:,}"


def _array_faults(array: Any) -> Iterator[str]:
    if not isinstance(array, h5py.Dataset) or array.dtype.kind not in "biufV" or array.dtype.hasobject:
        yield f"{WEIGHTS} holds {array!r:.60}, which is no array of numbers"
    elif array.external or array.is_virtual:
        yield f"{WEIGHTS} takes the array {array.name!r:.60} from another file"
    elif array.chunks or array.nbytes != array.id.get_storage_size():
        held = array.id.get_storage_size()
        yield f"the array {array.name!r:.60} of {WEIGHTS} declares {array.nbytes:,} bytes and holds {held:,}"


def _size_faults(model: keras.Model, size: int) -> Iterator[str]:
    weights = sum(math.prod(variable.shape) for variable in model.variables)
    if weights > size:
        yield f"{CONFIG} describes {weights:,} weights, but {WEIGHTS} has only {size:,} bytes"
    for shape in _shapes(model):
        if (values := _values(shape)) > MOST_VALUES:
            yield f"a layer makes {values:,} values {shape} of an image, more than {MOST_VALUES:,}"
    if (total := values_of_an_image(model)) > MOST_TOTAL:
        yield f"its layers make {total:,} values of an image, more than {MOST_TOTAL:,}"
    work = sum(_work(layer) for layer in private.flatten_layers(model) if not isinstance(layer, keras.Model))
    if work > MOST_WORK:
        yield f"it takes about {work:,} multiplications for an image, more than {MOST_WORK:,}"


def values_of_an_image(model: keras.Model) -> int:
    """Return how many values all layers of `model` make of one image; axes of unknown length count once."""
    return sum(_values(shape) for shape in _shapes(model))


def _values(shape: Sequence[int | None]) -> int:
    return math.prod(length for length in shape if length is not None)


def _shapes(model: keras.Model) -> Iterator[tuple[int | None, ...]]:
    """Yield the shape of every tensor between the layers of `model` and of nested models."""
    for operation in getattr(model, "operations", None) or getattr(model, "layers", []):
        for node in private.inbound_nodes(operation):
            yield from (tensor.shape for tensor in node.output_tensors)
        yield from _shapes(operation)


def _work(layer: keras.Layer) -> int:
    """Return an upper bound of the multiplications of `layer` for one image: positions times weights or window."""
    weights = sum(math.prod(variable.shape) for variable in layer.variables)
    each = max(weights, math.prod(getattr(layer, "pool_size", (1,))))
    tensors = [
        tensor
        for node in private.inbound_nodes(layer)
        for tensor in (*node.arguments.keras_tensors, *keras.tree.flatten(node.output_tensors))
    ]
    return each * sum(_positions(tensor.shape) for tensor in tensors)


def _positions(shape: Sequence[int | None]) -> int:
    lengths = sorted(length for length in shape[1:] if length is not None)
    return math.prod(lengths[1:])  # without the shortest axis, which may be the channels
