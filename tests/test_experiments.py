"""Every file of the study, against the literal table of what it must say."""

import ast
import dataclasses
import math
import pathlib
import re

import keras
import pytest
from helpers.data_forms import tiny

from fer_keras import Experiment, models
from fer_keras.data import split
from fer_keras.experiment import load
from fer_keras.model_files import saving
from fer_keras.models.preprocessing import AUGMENTATIONS
from fer_keras.training import fitting
from fer_keras.training.dataset import Batches

FOLDER = pathlib.Path(__file__).parents[1] / "experiments"
FILES = sorted(FOLDER.glob("*.py"))
CNN = {"model": "cnn", "normalization": True}
FLIP = {"augmentation": ("flip",)}
SGD = {"optimizer": "sgd", "learning_rate": 0.1}
MOMENTUM = {"optimizer": "sgd", "optimizer_options": {"momentum": 0.9}, "learning_rate": 0.01}
RMSPROP = {"optimizer": "rmsprop", "optimizer_options": {"rho": 0.99, "epsilon": 1e-16}}
RECIPE = {"learning_rate": 2e-3, "schedule": "one_cycle", "batch_size": 64}
DOWN = (1024, 512, 256)
DEEP = {"filters": (16, 32, 64, 128), "repeats": 2, "units": (256, 128), "normalization": "layer", "dropout": 0.3}
BEST = {"units": (256, 128), "normalization": "layer", "dropout": 0.3, "convolution_normalization": "batch"}

# (step of the study, run name, differences from the protocol, which is Experiment's defaults)
# fmt: off
TABLE = [
    (1, "1-Layer-NN", {"model_options": {"units": (1024,)}, "batch_size": 64}),
    (1, "2-1024-Layer-NN", {"model_options": {"units": (1024, 1024)}, "batch_size": 64}),
    (1, "3-1024-Layer-NN", {"batch_size": 64}),
    (2, "3-1024-Layer-Batchnorm-NN", {"model_options": {"normalization": "batch"}, "batch_size": 64}),
    (2, "3-1024-Layer-Batchnorm-NN-256-Batch", {"model_options": {"normalization": "batch"}, "batch_size": 256}),
    (2, "3-1024-Layer-Batchnorm-NN-l2",
     {"model_options": {"normalization": "batch", "l2": 1e-4}, "batch_size": 64}),
    (2, "3-1024-Layer-Layernorm-NN", {"model_options": {"normalization": "layer"}, "batch_size": 64}),
    (3, "3-1024-Layer-NN-128-Batch", {}),
    (3, "3-1024-Layer-Down-NN", {"model_options": {"units": DOWN}}),
    (3, "3-1024-Layer-Hourglass-NN", {"model_options": {"units": (512, 1024, 512)}}),
    (4, "3-Layer-Down-Dropout-0.1-NN", {"model_options": {"units": DOWN, "dropout": 0.1}}),
    (4, "3-Layer-Down-Dropout-0.3-NN", {"model_options": {"units": DOWN, "dropout": 0.3}}),
    (4, "3-Layer-Down-Dropout-0.5-NN", {"model_options": {"units": DOWN, "dropout": 0.5}}),
    (4, "3-1024-Layer-Down-Batchnorm-NN", {"model_options": {"units": DOWN, "normalization": "batch"}}),
    (4, "3-Layer-Down-Dropout-0.1-Batchnorm-NN",
     {"model_options": {"units": DOWN, "normalization": "batch", "dropout": 0.1}}),
    (4, "3-Layer-Down-Dropout-0.5-Batchnorm-NN",
     {"model_options": {"units": DOWN, "normalization": "batch", "dropout": 0.5}}),
    (5, "4-Layer-Down-NN", {"model_options": {"units": (1024, 512, 256, 128)}}),
    (5, "5-Layer-Down-NN", {"model_options": {"units": (1024, 512, 256, 128, 64)}}),
    (5, "6-Layer-Down-NN", {"model_options": {"units": (1024, 512, 256, 128, 64, 32)}}),
    (6, "3-1024-Layer-Down-NN-sgd", {**SGD, "model_options": {"units": DOWN}}),
    (6, "3-1024-Layer-Down-NN-sgd-lr-0.001", {"optimizer": "sgd", "model_options": {"units": DOWN}}),
    (6, "3-1024-Layer-Down-NN-sgd-momentum", {**MOMENTUM, "model_options": {"units": DOWN}}),
    (6, "3-1024-Layer-Down-NN-lr-0.0003", {"model_options": {"units": DOWN}, "learning_rate": 3e-4}),
    (6, "3-1024-Layer-Down-NN-rmsprop-lr-0.0001",
     {**RMSPROP, "model_options": {"units": DOWN}, "learning_rate": 1e-4}),
    (6, "3-1024-Layer-Down-NN-rmsprop", {**RMSPROP, "model_options": {"units": DOWN}}),
    (6, "3-Layer-Down-NN-adam", {"model_options": {"units": DOWN}, "normalization": True}),
    (6, "3-Layer-Down-NN-sgd", {**SGD, "model_options": {"units": DOWN}, "normalization": True}),
    (6, "3-Layer-Down-NN-sgd-lr-0.001",
     {"optimizer": "sgd", "model_options": {"units": DOWN}, "normalization": True}),
    (6, "3-Layer-Down-NN-sgd-momentum", {**MOMENTUM, "model_options": {"units": DOWN}, "normalization": True}),
    (6, "3-Layer-Down-NN-rmsprop-lr-0.0003",
     {**RMSPROP, "model_options": {"units": DOWN}, "normalization": True, "learning_rate": 3e-4}),
    (6, "3-Layer-Down-NN-rmsprop", {**RMSPROP, "model_options": {"units": DOWN}, "normalization": True}),
    (6, "3-Layer-Down-NN-adam-l2", {"model_options": {"units": DOWN, "l2": 1e-4}, "normalization": True}),
    (6, "3-Layer-Down-NN-adam-lr-0.0003",
     {"model_options": {"units": DOWN}, "normalization": True, "learning_rate": 3e-4}),
    (6, "3-Layer-Down-NN-adam-lr-0.003",
     {"model_options": {"units": DOWN}, "normalization": True, "learning_rate": 0.003}),
    (7, "3-Layer-Down-Dropout-0.3-Batchnorm-NN-adam-l2",
     {"model_options": {"units": DOWN, "normalization": "batch", "dropout": 0.3, "l2": 1e-4},
      "normalization": True}),
    (7, "3-Layer-Down-Dropout-0.3-NN-adam-l2",
     {"model_options": {"units": DOWN, "dropout": 0.3, "l2": 1e-4}, "normalization": True}),
    (7, "3-Layer-Down-Batchnorm-NN-adam-l2",
     {"model_options": {"units": DOWN, "normalization": "batch", "l2": 1e-4}, "normalization": True}),
    (7, "3-Layer-Down-Dropout-0.5-Batchnorm-NN-adam-l2",
     {"model_options": {"units": DOWN, "normalization": "batch", "dropout": 0.5, "l2": 1e-4},
      "normalization": True}),
    (7, "3-Layer-Down-Dropout-0.3-Batchnorm-NN-adam",
     {"model_options": {"units": DOWN, "normalization": "batch", "dropout": 0.3}, "normalization": True}),
    (7, "3-Layer-Down-Dropout-0.3-Layernorm-NN-adam-l2",
     {"model_options": {"units": DOWN, "normalization": "layer", "dropout": 0.3, "l2": 1e-4},
      "normalization": True}),
    (7, "4-Layer-Down-Dropout-0.3-Batchnorm-NN-adam-l2",
     {"model_options": {"units": (1024, 512, 256, 128), "normalization": "batch", "dropout": 0.3, "l2": 1e-4},
      "normalization": True}),
    (8, "1-1-CNN", {**CNN, "model_options": {"filters": (32,), "max_pooling": False}}),
    (8, "3-1-CNN", {**CNN, "model_options": {"filters": (32, 32, 32), "max_pooling": False}}),
    (8, "3-1-Maxpool-CNN", {**CNN, "model_options": {"filters": (32, 32, 32)}}),
    (8, "5-2-Maxpool-CNN", {**CNN, "model_options": {"filters": (32, 32, 32, 32, 32), "units": (256, 256)}}),
    (8, "3-1-Up-Maxpool-CNN", CNN),
    (9, "3-1-Up-Maxpool-Dropout-CNN", {**CNN, "model_options": {"dropout": 0.3}}),
    (9, "3-1-Up-Maxpool-Batchnorm-CNN", {**CNN, "model_options": {"normalization": "batch"}}),
    (9, "3-1-Up-Maxpool-Dropout-Batchnorm-CNN",
     {**CNN, "model_options": {"normalization": "batch", "dropout": 0.3}}),
    (9, "3-1-Up-Maxpool-Batchnorm-CNN-l2", {**CNN, "model_options": {"normalization": "batch", "l2": 1e-4}}),
    (9, "2-1-Up-Maxpool-Batchnorm-CNN", {**CNN, "model_options": {"filters": (32, 64), "normalization": "batch"}}),
    (9, "3-1-Up-Maxpool-Dropout-Layernorm-CNN",
     {**CNN, "model_options": {"normalization": "layer", "dropout": 0.3}}),
    (10, "3-1-Up-Maxpool-Dropout-Layernorm-CNN-image-flip",
     {**CNN, **FLIP, "model_options": {"normalization": "layer", "dropout": 0.3}}),
    (11, "4-2-Up-Maxpool-Dropout-Layernorm-CNN", {**CNN, **FLIP, "model_options": DEEP}),
    (11, "4-2-Up-Maxpool-Dropout-Layernorm-CBatchnorm-CNN",
     {**CNN, **FLIP, "model_options": {**DEEP, "convolution_normalization": "batch"}}),
    (11, "4-2-Up-Maxpool-Dropout-Layernorm-LeakyReLU-CNN",
     {**CNN, **FLIP, "model_options": {**DEEP, "activation": "leaky_relu"}}),
    (11, "4-2-Up-Maxpool-Dropout-Layernorm-Residual-CNN",
     {**CNN, **FLIP, "model_options": {**DEEP, "residual": True}}),
    (11, "4-2-Up-Maxpool-Dropout-Layernorm-CBatchnorm-LeakyReLU-CNN",
     {**CNN, **FLIP, "model_options": {**DEEP, "convolution_normalization": "batch", "activation": "leaky_relu"}}),
    (11, "4-2-Up-Maxpool-Dropout-Layernorm-CBatchnorm-Residual-CNN",
     {**CNN, **FLIP, "model_options": {**DEEP, "convolution_normalization": "batch", "residual": True}}),
    (11, "4-2-Up-Maxpool-Dropout-Layernorm-CBatchnorm-LeakyReLU-Residual-CNN",
     {**CNN, **FLIP, "model_options": {**DEEP, "convolution_normalization": "batch",
      "activation": "leaky_relu", "residual": True}}),
    (12, "3-2-Best",
     {**CNN, **FLIP, **RECIPE, "model_options": {
      "repeats": 2, "units": (256, 128), "convolution_normalization": "batch",
      "convolution_dropout": 0.1, "normalization": "layer", "dropout": 0.2}}),
    (12, "3-2-Up-Maxpool-Dropout-Layernorm-CBatchnorm-CNN", {**CNN, **FLIP, **RECIPE, "model_options": BEST}),
    (12, "3-2-Up-Maxpool-Dropout-Layernorm-CBatchnorm-CNN-l2",
     {**CNN, **FLIP, **RECIPE, "model_options": {**BEST, "l2": 1e-4}}),
    (12, "3-2-Up-Maxpool-Dropout-Layernorm-CBatchnorm-LeakyReLU-CNN",
     {**CNN, **FLIP, **RECIPE, "model_options": {**BEST, "activation": "leaky_relu"}}),
    (12, "3-2-Up-Maxpool-Dropout-Layernorm-CBatchnorm-Residual-CNN",
     {**CNN, **FLIP, **RECIPE, "model_options": {**BEST, "residual": True}}),
    (12, "3-2-Sweep-Best",
     {**CNN, **FLIP, "optimizer": "adamw", "learning_rate": 0.01574146176036051, "schedule": "one_cycle",
      "model_options": {"repeats": 2, "units": (256, 128), "convolution_normalization": "batch",
      "convolution_dropout": 0.2, "normalization": "layer", "dropout": 0.0, "l2": 1e-5}}),
]
# fmt: on
NAMES = [name for _, name, _ in TABLE]
RECIPES = {  # published ones: their trainable parameters, those of batch normalization 2 a channel
    # 20,024,384 in the convolutions of arXiv:1409.1556's E, less two input channels; 5,504 channels normalized
    "vgg19_wujie": 20_024_384 - 2 * 9 * 64 + 2 * 5504 + 512 * 7 + 7,
    # convolutions; 1,920 channels normalized; 2 x 2 places of 512 channels to two dense layers
    "vgg_khaireddin": 4_684_224 + 2 * 1920 + (2048 * 4096 + 4096) + (4096 * 4096 + 4096) + 4096 * 7 + 7,
    # that of https://github.com/kuangliu/pytorch-cifar with one input channel and seven classes
    "resnet18_lethesec": 11_173_962 - 2 * 9 * 64 - 3 * 513,
}
BEYOND = {
    "resnet_fine",
    "resnet_fine_ferplus",
    "resnet_fine_long",
    "resnet_fine_matched",
    "resnet_fine_mixed",
    "resnet_fine_taught",
    "resnet_large",
    "resnet_medium",
    "resnet_medium_mixed",
    "resnet_small",
    "resnet_tiny_ferplus",
    "resnet_tiny",
    "resnet_wide",
    "resnet_wide_long",
    "resnet_wide_matched",
    "speedrun_60",
    "speedrun_70",
    *RECIPES,
}  # files of runs that are not of the study


def stem(name):
    """Return the file that a run is in: its name's words, the family first."""
    words = [word for word in re.split(r"\W", name) if word not in ("NN", "CNN")]
    family = "cnn" if "CNN" in name else "nn"
    return {"3-2-Best": "cnn_best", "3-2-Sweep-Best": "cnn_sweep_best"}.get(
        name, "_".join([family, *words]).lower()
    )


def test_table_and_files_are_the_same_runs():
    stems = [stem(name) for _, name, _ in TABLE]
    assert sorted(stems) == [path.stem for path in FILES if path.stem not in BEYOND]
    assert BEYOND <= {path.stem for path in FILES}
    assert len(set(stems)) == len(stems) >= 45
    assert all(name.isidentifier() for name in stems)


def test_steps_are_all_there():
    assert sorted({step for step, _, _ in TABLE}) == list(range(1, 13))


@pytest.mark.parametrize("step, name, differences", TABLE, ids=NAMES)
def test_resolved_settings(step, name, differences):
    experiment = load(FOLDER / f"{stem(name)}.py")
    assert dataclasses.asdict(experiment) == dataclasses.asdict(Experiment(name, **differences))
    assert set(experiment.augmentation) <= AUGMENTATIONS.keys()


@pytest.mark.parametrize("step, name, differences", TABLE, ids=NAMES)
def test_text_names_run_command_question_source_and_difference(step, name, differences):
    text = ast.get_docstring(ast.parse((FOLDER / f"{stem(name)}.py").read_text(encoding="utf-8")))
    assert text.startswith(f"{name}: ")
    assert f"\n    python experiments/{stem(name)}.py\n" in text
    assert re.search(r"^Question  \w.*\?", text, re.MULTILINE | re.DOTALL)
    assert re.search(rf"^Source    study, step {step}\.", text, re.MULTILINE)
    assert re.search(r"^Differs   (from|in nothing from) ", text, re.MULTILINE)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_holds_one_call_and_no_logic(path):
    docstring, imported, assignment, guard = ast.parse(path.read_text(encoding="utf-8")).body
    assert ast.unparse(imported) == "from fer_keras import Experiment, main"
    assert ast.unparse(assignment).startswith("experiment = Experiment(")
    assert ast.unparse(guard) == "if __name__ == '__main__':\n    main()"
    stated = [keyword.arg for keyword in assignment.value.keywords]
    defaults = dataclasses.asdict(Experiment("x"))
    assert all(dataclasses.asdict(load(path))[field] != defaults[field] for field in stated)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_differs_names_a_run_of_the_study(path):
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    other = re.search(r"^Differs .*?from (the protocol|\S+?)[,:.]?\s", text, re.MULTILINE).group(1)
    assert other in ["the protocol", *NAMES]


@pytest.mark.parametrize(
    "name, parameters",
    [
        # 2304 x 1024 + 1024, then 1024 x 7 + 7.
        ("1-Layer-NN", 2_367_495),
        # 2,360,320 + 1,049,600 + 1,049,600 + 7,175.
        ("3-1024-Layer-NN", 4_466_695),
        # 2,360,320 + 524,800 + 131,328 + 1,799.
        ("3-Layer-Down-NN-adam", 3_018_247),
        # Convolutions 320 + 18,496 + 73,856; 4,608 x 256 + 256, 2 x 256 of LayerNorm, 1,799.
        ("3-1-Up-Maxpool-Dropout-Layernorm-CNN", 1_274_887),
    ],
)
def test_parameters_worked_out_by_hand(name, parameters):
    assert build(name).count_params() == parameters


@pytest.mark.parametrize("name", NAMES)
def test_model_builds(name):
    assert build(name).output_shape == (None, 7)


@pytest.mark.slow
@pytest.mark.parametrize("name, parameters", RECIPES.items())
def test_published_recipe_has_its_parameters_and_trains_every_kernel(name, parameters):
    train = split(tiny((42, 7, 7)))["train"].take(slice(4))
    model = fitting.build(load(FOLDER / f"{name}.py"), train)
    assert sum(math.prod(v.shape) for v in model.trainable_variables) == parameters
    kernels = [v for v in model.trainable_variables if len(v.shape) > 1]
    before = [keras.ops.convert_to_numpy(v).copy() for v in kernels]
    targets = Batches(train, load(FOLDER / f"{name}.py")).targets
    model.train_on_batch(train.images, targets)
    pairs = zip(kernels, before, strict=True)
    assert [v.path for v, old in pairs if (keras.ops.convert_to_numpy(v) == old).all()] == []
    assert saving.publish(model).output_shape == (None, 7)


def build(name):
    experiment = load(FOLDER / f"{stem(name)}.py")
    return models.build(experiment.model, experiment.model_options, [])
