"""Private names of dependencies: all are listed here, used behind one door each, and there in this version."""

import ast
import importlib
import pathlib

import keras
import pytest

import fer_keras
from fer_keras.backend import optimizers, private

PACKAGE = pathlib.Path(fer_keras.__file__).parent
TREES = {
    path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")
}
BACKEND = keras.backend.backend()


def model():
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    network.compile(keras.optimizers.Adam(amsgrad=True, use_ema=True), "mse")
    network.optimizer.build(network.trainable_variables)
    return network


MODEL = model()
OWNERS = {  # what has the names, and where it may be used
    "keras.Model": (MODEL, "backend/"),
    "keras.Layer": (MODEL.layers[0], "backend/"),
    "keras.KerasTensor": (MODEL.layers[0].output, "backend/"),
    "keras.Optimizer": (MODEL.optimizer, "backend/"),
    "keras.optimizers.Muon": (keras.optimizers.Muon, "backend/"),
}
NAMES = {
    "keras.Model": {"_flatten_layers", "_loss_tracker"},
    "keras.Layer": {"_inbound_nodes", "_outbound_nodes"},
    "keras.KerasTensor": {"_keras_history"},
    "keras.Optimizer": {
        *("_apply_weight_decay", "_backend_apply_gradients", "_backend_update_step", "_clip_gradients"),
        *("_get_current_learning_rate", "_get_variable_index", "_learning_rate", "_momentums"),
        *("_model_variables_moving_average", "_trainable_variables", "_update_model_variables_moving_average"),
        *("_use_weight_decay", "_velocities", "_velocity_hats"),
    },
    "keras.optimizers.Muon": {"_should_use_adamw"},
}
MODULES = {  # private modules: {module: the names taken from it}
    "keras.src.backend.common.global_state": {"get_global_attribute", "set_global_attribute"},
    "keras.src.saving.serialization_lib": {"ObjectSharingScope"},
}
if BACKEND == "torch":
    import torch

    OWNERS["torch"] = torch, "backend/"
    OWNERS["torch.Tensor"] = torch.zeros(1), "backend/"
    NAMES["torch"] = set(optimizers.LISTS)
    NAMES["torch.Tensor"] = {"_version"}
    NAMES["keras.Optimizer"] |= {"_parallel_update_step"}
    MODULES["keras.src.backend.torch.random"] = {"torch_seed_generator"}
    MODULES["torch._dynamo"] = {"disable"}
DOORS = {  # of private modules outside `keras.src`
    "torch._dynamo": "backend/keras_import.py",
    "onnxruntime.capi": "inference/engines.py",
    "uvicorn.protocols": "server/protocol.py",
}
ONNX_ERRORS = {"Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "RuntimeException"}
UVICORN = {  # methods and attributes of H11Protocol that `BoundedProtocol` extends and reads
    *("connection_made", "connection_lost", "data_received", "pause_writing", "resume_writing"),
    *("on_response_complete", "send_400_response", "timeout_keep_alive_handler"),
    *("client", "conn", "connections", "cycle", "loop", "transport"),
}
LISTED = {name for names in NAMES.values() for name in names}
OTHERS = {"_trial_id": "sweep/storage.py"}  # Optuna's, below
OTHERS |= dict.fromkeys(("_exit", "_asdict", "_fields"), "")  # public, of `os` and of named tuples


def defined():
    """Names that the package itself defines or assigns to."""
    for tree in TREES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield node.name
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                yield node.attr
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id


def foreign():
    """{private name of somebody else's: files that use it}."""
    own, found = set(defined()) - LISTED, {}
    for file, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr[0] == "_" and node.attr[:2] != "__":
                if node.attr not in own:
                    found.setdefault(node.attr, set()).add(file)
    return found


@pytest.mark.parametrize("owner, name", [(owner, name) for owner in NAMES for name in sorted(NAMES[owner])])
def test_name_is_there(owner, name):
    assert hasattr(OWNERS[owner][0], name), f"{owner} has no {name} in this version"


@pytest.mark.parametrize(
    "module, name", [(module, name) for module in MODULES for name in sorted(MODULES[module])]
)
def test_name_of_a_private_module_is_there(module, name):
    assert hasattr(importlib.import_module(module), name), f"{module} has no {name} in this version"


def test_name_of_optuna_is_there():
    trial = pytest.importorskip("optuna").trial
    assert "_trial_id" in trial.Trial.__init__.__code__.co_names, "optuna.Trial has no _trial_id in this version"


@pytest.mark.parametrize("name", sorted(ONNX_ERRORS))
def test_error_of_onnxruntime_is_there(name):
    pytest.importorskip("onnxruntime")
    state = importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    assert issubclass(getattr(state, name), Exception), f"onnxruntime has no {name} in this version"


@pytest.mark.parametrize("name", sorted(UVICORN))
def test_name_of_uvicorn_is_there(name):
    pytest.importorskip("uvicorn")
    protocol = importlib.import_module("uvicorn.protocols.http.h11_impl").H11Protocol
    there = {*dir(protocol), *protocol.__init__.__code__.co_names}
    assert name in there, f"uvicorn's H11Protocol has no {name} in this version"


@pytest.mark.parametrize("module", DOORS)
def test_private_module_is_named_behind_its_door(module):
    files = {file for file in TREES if module in (PACKAGE / file).read_text(encoding="utf-8")}
    assert files == {DOORS[module]}


@pytest.mark.skipif(BACKEND != "torch", reason="lists no names of torch")
def test_every_private_name_is_listed():
    assert foreign().keys() - LISTED - OTHERS.keys() == set()


@pytest.mark.skipif(BACKEND != "torch", reason="lists no names of torch")
def test_every_name_is_used_behind_its_door():
    doors = {name: OWNERS[owner][1] for owner, names in NAMES.items() for name in names} | OTHERS
    stray = {name: files for name, files in foreign().items() if not all(f.startswith(doors[name]) for f in files)}
    assert stray == {}
    assert LISTED <= set(foreign()) | set(defined())


@pytest.mark.skipif(BACKEND != "torch", reason="lists no modules of torch")
def test_private_modules_are_imported_in_the_backend_only():
    found = {}
    for file, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and ".src" in (node.module or ""):
                names = {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
                found.setdefault(file, set()).update(names & MODULES.keys() or names)
    assert all(file.startswith("backend/") for file in found)
    listed = {"keras.src.backend.torch.random", *MODULES}
    assert {module for modules in found.values() for module in modules} <= listed


def test_missing_name_turns_the_speed_up_off_and_says_so(monkeypatch, caplog):
    class Library:
        _there = 1

    assert private.has_all(Library, ("_there",), "quick steps")
    assert caplog.messages == []
    assert not private.has_all(Library, ("_there", "_gone", "_lost"), "quick steps")
    assert not private.has_all(Library, ("_there", "_gone", "_lost"), "quick steps")  # logged once
    assert caplog.messages == ["Library has no _gone, _lost in this version: quick steps are off."]
    monkeypatch.setattr(optimizers, "has_all", lambda *_: False)
    assert optimizers.fused(keras.optimizers.Adam) is keras.optimizers.Adam
