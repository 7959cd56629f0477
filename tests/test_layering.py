"""Which module may import which, read from the source, and what the package loads."""

import ast
import pathlib
import subprocess
import sys

import pytest

import fer_keras

PACKAGE = pathlib.Path(fer_keras.__file__).parent
# Each module imports only from modules above it; a folder counts as one module. `__init__` and `__main__` are the
# doors to the rest.
ORDER = [
    *("errors", "files", "memory", "logs", "backends", "experiment", "data", "distribution"),
    *("layers", "augmentation", "preprocessing", "models", "mixing", "batches", "optimizers", "gradients"),
    *(
        "callbacks",
        "checkpoints",
        "schedules",
        "device",
        "checking",
        "saving",
        "shipped",
        "prediction",
        "inference",
        "engines",
        "exporting",
    ),
    *("evaluation", "pictures", "records", "tracking", "training", "teaching", "pipeline", "releasing"),
    *("doctor", "study", "report", "sweep", "recognition", "server", "cli"),
]
ONLY_IN = {
    "torch": {
        "augmentation",
        "distribution",
        "gradients",
        "layers",
        "optimizers",
        "device",
        "exporting",
        "records",
    },
    "jax": {"gradients", "records"},
    "tensorflow": {"gradients"},
    "wandb": {"doctor", "tracking", "report"},
    "onnxruntime": {"engines"},
    "onnx": {"exporting"},
    "optuna": {"sweep"},
    "click": {"cli"},
    "cv2": {"recognition"},
    "tkinter": {"recognition"},
    "fastapi": {"server"},
    "prometheus_client": {"server"},
    "pydantic": {"server"},
    "starlette": {"server"},
    "uvicorn": {"server"},
}
KERAS = {
    "distribution",
    "layers",
    "augmentation",
    "preprocessing",
    "models",
    "batches",
    "checkpoints",
    "schedules",
    "optimizers",
    "gradients",
    "callbacks",
    "device",
    "checking",
    "saving",
    "releasing",
    "prediction",
    "inference",
    "exporting",
    "training",
}
LIGHT = {  # import nothing heavy at their top
    *("__init__", "__main__", "errors", "files", "memory", "logs", "backends", "experiment", "cli"),
}


def name_of(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(nodes):
    """Full names of what the import statements among `nodes` name: `from fer_keras import x` names fer_keras.x."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}
MODULES = sorted({name_of(path) for path in TREES} - {"__init__", "__main__"})


def named(module, tops_only=False):
    """Names that the module imports, anywhere in its source or at the top of it."""
    trees = [tree for path, tree in TREES.items() if name_of(path) == module]
    return {name for tree in trees for name in imports(tree.body if tops_only else ast.walk(tree))}


def test_order_lists_every_module_once():
    assert sorted(ORDER) == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_only_from_those_above_it(module):
    parts = {name.split(".")[1] for name in named(module) if name.startswith("fer_keras.")}
    allowed = {*ORDER[: ORDER.index(module)], module, "__version__"}
    assert parts <= allowed


@pytest.mark.parametrize("library", ONLY_IN)
def test_library_is_named_in_its_places_only(library):
    users = {module for module in MODULES if library in {name.split(".")[0] for name in named(module)}}
    assert users <= ONLY_IN[library]


def test_keras_is_loaded_by_what_computes_only():
    users = {m for m in MODULES if "keras" in {name.split(".")[0] for name in named(m, tops_only=True)}}
    assert users == KERAS


@pytest.mark.parametrize("module", sorted(LIGHT))
def test_light_modules_load_nothing_heavy(module):
    outside = {name.split(".")[0] for name in named(module, tops_only=True)} - {"fer_keras"}
    assert outside <= {*sys.stdlib_module_names, "click"}
    inside = {name.split(".")[1] for name in named(module, tops_only=True) if name.startswith("fer_keras.")}
    assert inside <= {*LIGHT, "__version__"}


def in_new_process(program):
    command = [sys.executable, "-c", program]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


HEAVY = "{'keras', 'numpy', 'pandas', 'torch', 'matplotlib', 'sklearn', 'wandb', 'rich'} & set(sys.modules)"


@pytest.mark.parametrize("module", ["fer_keras", "fer_keras.cli"])
def test_import_is_light(module):
    assert in_new_process(f"import sys, {module}; print(sorted({HEAVY}))") == "[]\n"


def test_backend_is_torch_unless_the_user_chose():
    program = "import os; {} import fer_keras; print(os.environ['KERAS_BACKEND'])"
    assert in_new_process(program.format("os.environ.pop('KERAS_BACKEND', None);")) == "torch\n"
    assert in_new_process(program.format("os.environ['KERAS_BACKEND'] = 'jax';")) == "jax\n"


def test_everything_in_all_is_there_and_public():
    assert fer_keras.__all__ == sorted(fer_keras.__all__) == ["Experiment", "FER", "main", "pretrained", "run"]
    public = in_new_process("from fer_keras import *; print(sorted(name for name in dir() if name[0] != '_'))")
    assert public == "['Experiment', 'FER', 'main', 'pretrained', 'run']\n"
    for name in fer_keras.__all__:
        assert callable(getattr(fer_keras, name)) and getattr(fer_keras, name).__doc__


def test_all_of_data_is_importable():
    from fer_keras import data

    assert data.__all__ == sorted(data.__all__, key=lambda name: (not name.isupper(), name))
    assert all(hasattr(data, name) for name in data.__all__)
