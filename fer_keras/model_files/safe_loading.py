"""What a `.keras` file may hold, looked at before Keras builds anything of it.

A model file can name code to run, files to read and sizes that no machine has. So what is known to be harmless is
listed here and everything else is refused; docs/reliability.md has the published attacks and the test of each.
"""

import copy
import io
import json
import math
import zipfile

import h5py
import keras
from keras.src.backend.common import global_state

from fer_keras.backend.layers import FAST
from fer_keras.core.errors import InputError

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
MEMBERS = {"metadata.json", CONFIG, WEIGHTS}
MOST_BYTES = 2 << 30  # of the whole file, unpacked
MOST_CONFIG_BYTES = 16 << 20
MOST_DEPTH = 100  # of the configuration's braces and brackets
MOST_WEIGHTS = 50_000
MOST_VALUES = 1 << 25  # of one image in any layer: 128 MiB in float32

MODELS = {"Functional", "Model", "Sequential"}
# Layers that hold code, or read files and tables of words.
REFUSED = {
    *("FlaxLayer", "JaxLayer", "Lambda", "TFSMLayer", "TorchModuleWrapper"),
    *("HashedCrossing", "Hashing", "IntegerLookup", "StringLookup", "TextVectorization"),
}
MODULES = {  # and the classes in them, None for all
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
OPERATIONS = "keras.src.ops."  # what `x + 1` in a graph of layers becomes
FUNCTIONS = {"builtins", "keras.activations", "keras.initializers", "keras.regularizers", "keras.constraints"}
VALUES = {"__bytes__", "__ellipsis__", "__keras_tensor__", "__numpy__", "__slice__", "__tensor__"}


def read(path):
    """Return the checked content of the `.keras` file `path`.

    Returns:
        `(config, weights)`: the model's `dict` without anything on its training, and the bytes of its HDF5 file.

    Raises:
        InputError: if the file is damaged, larger than `MOST_BYTES`, or holds what this project does not load.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _refuse(path, _member_faults(archive))
            config, weights = json.loads(archive.read(CONFIG)), archive.read(WEIGHTS)
        config = _without_training(config)
        _refuse(path, _config_faults(config))
        with h5py.File(io.BytesIO(weights)) as file:
            _refuse(path, _weight_faults(file, len(weights)))
        _refuse(path, _size_faults(_stand_in(config), len(weights)))
    except InputError:
        raise
    except Exception as error:  # zipfile, h5py and Keras raise what they like on what nobody wrote them for
        raise InputError(f"{path} cannot be loaded by Keras: {reason(error)}") from error
    return config, weights


def reason(error):
    """Return the innermost message of one of Keras' errors as one line."""
    text = (str(error) or repr(error)).rpartition("Exception encountered: ")[2].strip()
    return (text or repr(error)).splitlines()[0][:500]


def _refuse(path, faults):
    for fault in faults:
        raise InputError(f"{path} is refused: {fault}. Only files that plain Keras layers need are loaded.")


def _member_faults(archive):
    members = archive.infolist()
    names = [member.filename for member in members]
    if sorted(names) != sorted(MEMBERS & set(names)) or not {CONFIG, WEIGHTS} <= set(names):
        yield f"it holds {', '.join(map(repr, names[:6])) or 'nothing'} instead of {', '.join(sorted(MEMBERS))}"
    if any(member.flag_bits & 1 for member in members):
        yield "it is encrypted"
    total = sum(member.file_size for member in members)
    if total > MOST_BYTES:
        yield f"it unpacks to {total:,} bytes, more than {MOST_BYTES:,}"
    size = sum(member.file_size for member in members if member.filename == CONFIG)
    if size > MOST_CONFIG_BYTES:
        yield f"its {CONFIG} unpacks to {size:,} bytes, more than {MOST_CONFIG_BYTES:,}"


def _without_training(config):
    """Return `config` without what the models in it were compiled with: nothing here uses it."""
    if isinstance(config, list):
        return [_without_training(value) for value in config]
    if isinstance(config, dict):
        return {key: _without_training(value) for key, value in config.items() if key != "compile_config"}
    return config


def _config_faults(config):
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
            if not _is_plain(value.get("name")):
                yield f"a layer is called {value['name']!r:.60}, which could be a path"
            values += [(item, depth + 1) for item in value.values()]
        elif isinstance(value, list):
            values += [(item, depth + 1) for item in value]


def _is_plain(name):
    return not isinstance(name, str) or name.isprintable() and ".." not in name and not set(name) & set("/\\:")


def _class_faults(config):
    name, module, registered = config["class_name"], config.get("module"), config.get("registered_name")
    if not isinstance(name, str) or not isinstance(module, str | None) or not isinstance(registered, str | None):
        yield f"it names the class {name!r:.60} of {module!r:.60}"
        return
    if name == "function":
        allowed = module in FUNCTIONS and registered in (None, name, config.get("config"))
    elif module is None:  # Keras finds these among its own for the argument they are given as
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


def _weight_faults(file, size):
    groups, seen, total = [file], set(), 0
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


def _array_faults(array):
    if not isinstance(array, h5py.Dataset) or array.dtype.kind not in "biufV" or array.dtype.hasobject:
        yield f"{WEIGHTS} holds {array!r:.60}, which is no array of numbers"
    elif array.external or array.is_virtual:
        yield f"{WEIGHTS} takes the array {array.name!r:.60} from another file"
    elif array.chunks or array.nbytes != array.id.get_storage_size():
        held = array.id.get_storage_size()
        yield f"the array {array.name!r:.60} of {WEIGHTS} declares {array.nbytes:,} bytes and holds {held:,}"


def _stand_in(config):
    """Return the model of `config` with the shapes of its weights but no memory for them."""
    before = global_state.get_global_attribute("uninitialized_variables")
    global_state.set_global_attribute("uninitialized_variables", [])
    try:
        with keras.StatelessScope(initialize_variables=False):
            return keras.saving.deserialize_keras_object(copy.deepcopy(config), safe_mode=True)  # it empties it
    finally:  # else the next scope would give the weights memory after all
        global_state.set_global_attribute("uninitialized_variables", before)


def _size_faults(model, size):
    weights = sum(math.prod(variable.shape) for variable in model.variables)
    if weights > size:
        yield f"{CONFIG} describes {weights:,} weights, but {WEIGHTS} has only {size:,} bytes"
    for shape in _shapes(model):
        values = math.prod(length for length in shape if length is not None)
        if values > MOST_VALUES:
            yield f"a layer makes {values:,} values {shape} of an image, more than {MOST_VALUES:,}"


def _shapes(model):
    """Yield the shape of every tensor between the layers of `model` and of the models in it."""
    for operation in getattr(model, "operations", None) or getattr(model, "layers", []):
        for node in operation._inbound_nodes:
            yield from (tensor.shape for tensor in node.output_tensors)
        yield from _shapes(operation)
