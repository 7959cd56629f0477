"""Which module may import which, read from the source, and what the package loads."""

import ast
import graphlib
import pathlib
import subprocess
import sys

import pytest

import fer_keras

PACKAGE = pathlib.Path(fer_keras.__file__).parent
# Each room, a folder or a module, imports only from the rooms of the lines above it. `__init__` and `__main__`
# import from all of them.
ORDER = [
    {"core"},
    {"experiment", "data"},
    {"backend"},
    {"models"},
    {"model_files"},
    {"inference"},
    {"training", "recognition"},
    {"evaluation"},
    {"runs", "server"},
    {"study", "sweep"},
    {"cli"},
]
ONLY_IN = {
    "torch": {"backend", "inference"},
    "jax": {"backend"},
    "tensorflow": {"backend"},
    "wandb": {"runs", "study"},
    "onnxruntime": {"inference"},
    "onnx": {"inference"},
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
KERAS = {"backend", "models", "model_files", "inference", "training", "runs"}
LIGHT = [  # import nothing heavy at their top
    *("__init__.py", "__main__.py", "experiment.py", "backend/__init__.py", "backend/selection.py"),
    "core/__init__.py",
    *(f"core/{name}.py" for name in ("choices", "errors", "files", "jobs", "limited", "logs", "renames")),
    *(path.relative_to(PACKAGE).as_posix() for path in sorted(PACKAGE.glob("cli/*.py"))),
]


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
    assert sorted(room for floor in ORDER for room in floor) == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_only_from_those_above_it(module):
    parts = {name.split(".")[1] for name in named(module) if name.startswith("fer_keras.")}
    floor = next(number for number, rooms in enumerate(ORDER) if module in rooms)
    assert parts <= {room for rooms in ORDER[:floor] for room in rooms} | {module, "__version__"}


def test_no_circle_of_files():
    """Imports in functions and for type checkers count; the package's `__init__`, which loads lazily, does not."""
    names = {".".join(("fer_keras", *path.relative_to(PACKAGE).with_suffix("").parts)): path for path in TREES}
    files = {name.removesuffix(".__init__"): path for name, path in names.items()}
    del files["fer_keras"]
    graph = {}
    for name, path in files.items():
        found = set(imports(ast.walk(TREES[path])))
        graph[name] = {part for whole in found for part in (whole, whole.rpartition(".")[0]) if part in files}
        graph[name] -= {name, *(whole.rpartition(".")[0] for whole in found & files.keys())}
    assert any(graph.values())
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


@pytest.mark.parametrize("library", ONLY_IN)
def test_library_is_named_in_its_places_only(library):
    users = {module for module in MODULES if library in {name.split(".")[0] for name in named(module)}}
    assert users <= ONLY_IN[library]


def test_keras_is_loaded_by_what_computes_only():
    users = {m for m in MODULES if "keras" in {name.split(".")[0] for name in named(m, tops_only=True)}}
    assert users == KERAS


@pytest.mark.parametrize("file", LIGHT)
def test_light_modules_load_nothing_heavy(file):
    names = set(imports(TREES[PACKAGE / file].body))
    assert {name.split(".")[0] for name in names} <= {*sys.stdlib_module_names, "click", "fer_keras"}
    inside = {name.removeprefix("fer_keras.") for name in names if name.startswith("fer_keras.")}
    light = {file.removesuffix(".py").replace("/", ".") for file in LIGHT} | {"__version__", "cli"}
    assert all(any(name == module or name.startswith(f"{module}.") for module in light) for name in inside), inside


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
    assert in_new_process(program.format("os.environ['KERAS_BACKEND'] = '';")) == "torch\n"
    assert in_new_process(program.format("os.environ['KERAS_BACKEND'] = 'jax';")) == "jax\n"


PUBLIC = ["Experiment", "FER", "Face", "evaluate", "finetune", "load", "main", "pretrained", "run"]


def test_everything_in_all_is_there_and_public():
    assert fer_keras.__all__ == sorted(fer_keras.__all__) == PUBLIC
    public = in_new_process("from fer_keras import *; print(sorted(name for name in dir() if name[0] != '_'))")
    assert public == f"{PUBLIC}\n"
    assert set(PUBLIC) <= set(dir(fer_keras))
    for name in fer_keras.__all__:
        assert callable(getattr(fer_keras, name)) and getattr(fer_keras, name).__doc__


def test_all_of_data_is_importable():
    from fer_keras import data

    assert data.__all__ == sorted(data.__all__, key=lambda name: (not name.isupper(), name))
    assert all(hasattr(data, name) for name in data.__all__)
