"""The training step as a function against `Model.fit`, and its capture with a stand-in for CUDA."""

import contextlib
import dataclasses
import types

import keras
import numpy as np
import pytest
from helpers.data_forms import tiny

from fer_keras import Experiment
from fer_keras.core.errors import InputError
from fer_keras.data import EMOTIONS, split
from fer_keras.inference.prediction import probabilities
from fer_keras.model_files import saving
from fer_keras.training import distillation, fitting
from fer_keras.training.dataset import Batches

if keras.backend.backend() != "torch":
    pytest.skip("other backends compile their steps", allow_module_level=True)

import torch
from helpers.operations import Operations

from fer_keras.backend import step

PARTS = split(tiny((30, 7, 7)))
# 20 steps, each epoch's last of six images instead of eight.
EXPERIMENT = Experiment(name="x", model_options={"units": (8,)}, batch_size=8, epochs=5, schedule="one_cycle")
FAMILIES = {
    "cnn": {"filters": (3,), "units": (6,), "convolution_normalization": "batch", "l2": 1e-3},
    "nn": {"units": (8,)},
    "resnet": {"filters": (4, 8), "blocks": (1, 2), "stem_filters": (4,), "squeeze": 2},
    "resnet_v1": {"filters": (4, 8), "blocks": (1, 1)},
    "vgg": {"filters": (4, 8), "repeats": (1, 2), "units": (8,)},
}
OPTIMIZERS = {
    "adam": {"global_clipnorm": 1.0},
    "adamw": {"weight_decay": 0.1, "use_ema": True, "ema_momentum": 0.9},
    "muon": {"weight_decay": 0.1, "adam_weight_decay": 0.01},
    "rmsprop": {"rho": 0.8},
    "sgd": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
}
BLENDED = {
    "mixup": 0.4,
    "cutmix": 1.0,
    "label_smoothing": 0.1,
    "class_weight": "balanced",
    "normalization": True,
}


@pytest.fixture
def as_a_function(monkeypatch):
    """Let `capture` train by the step as a function, as on a GPU, but not as a graph."""
    monkeypatch.setattr(step, "obstacle", lambda **settings: None)
    monkeypatch.setattr(step, "GraphedStep", lambda function: function)


def array(value):
    return keras.ops.convert_to_numpy(value).copy()


def changed(**changes):
    return dataclasses.replace(EXPERIMENT, **changes)


def trained(experiment, capture, soft_targets=None, **options):
    """Return the state of the model and the rows of its epochs without their times."""
    rows = []
    model = fitting.build(experiment, PARTS["train"])
    fitting.fit(
        model,
        experiment,
        Batches(PARTS["train"], experiment, soft_targets),
        PARTS["validation"],
        on_epoch=rows.append,
        capture=capture,
        **options,
    )
    state = [(v.name, array(v)) for v in [*model.variables, *model.optimizer.variables]]
    return state, [{key: value for key, value in row.items() if key != "epoch_time"} for row in rows]


def assert_same(one, other):
    (state, rows), (expected, expected_rows) = one, other
    for (name, value), (_, expected_value) in zip(state, expected, strict=True):
        np.testing.assert_allclose(value, expected_value, atol=1e-5, err_msg=name)
    assert len(rows) == len(expected_rows) == 5
    for row, expected_row in zip(rows, expected_rows, strict=True):
        assert row == pytest.approx(expected_row, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_weights_after_20_steps_are_those_of_keras_fit(monkeypatch, as_a_function, optimizer):
    experiment = changed(model="resnet", model_options={"filters": (4, 8), "blocks": (1, 2)}, normalization=True)
    experiment = dataclasses.replace(experiment, optimizer=optimizer, optimizer_options=OPTIMIZERS[optimizer])
    found = trained(experiment, capture=True)
    if optimizer != "muon":  # Keras' own leaves convolutions to Adam
        own = {"adam": "Adam", "adamw": "AdamW", "rmsprop": "RMSprop", "sgd": "SGD"}[optimizer]
        monkeypatch.setitem(fitting.OPTIMIZERS, optimizer, getattr(keras.optimizers, own))
    assert_same(found, trained(experiment, capture=False))


@pytest.mark.parametrize("model", FAMILIES)
def test_every_architecture_trains_as_by_keras_fit(as_a_function, model):
    experiment = changed(model=model, model_options=FAMILIES[model], optimizer="sgd", normalization=True)
    assert_same(trained(experiment, capture=True), trained(experiment, capture=False))


@pytest.mark.parametrize("mixup, cutmix", [(0.4, 0.0), (0.0, 1.0), (0.4, 1.0)])
def test_blends_class_weights_and_teachers_are_those_of_keras_fit(as_a_function, mixup, cutmix):
    experiment = changed(**BLENDED | {"mixup": mixup, "cutmix": cutmix, "distillation": 0.3, "teachers": ("a",)})
    soft_targets = np.random.default_rng(0).dirichlet(np.ones(7), (5, 30)).astype("float32")
    before = soft_targets.copy()
    found, expected = (trained(experiment, capture, soft_targets) for capture in (True, False))
    assert_same(found, expected)
    np.testing.assert_array_equal(soft_targets, before)


def test_captured_training_continues_where_it_stopped(as_a_function, tmp_path):
    experiment = changed(**BLENDED, augmentation=("flip", "affine"))
    whole, rows = trained(experiment, True)
    checkpoint = tmp_path / "c.npz"

    class Stop(Exception):
        pass

    def stop(row):
        if row["epoch"] == 3:
            raise Stop

    model = fitting.build(experiment, PARTS["train"])
    with pytest.raises(Stop):
        batches = Batches(PARTS["train"], experiment)
        fitting.fit(model, experiment, batches, None, on_epoch=stop, checkpoint=checkpoint, capture=True)
    state, rest = trained(experiment, True, checkpoint=checkpoint)
    assert rest == rows[2:]
    for (name, value), (_, expected) in zip(state, whole, strict=True):
        np.testing.assert_array_equal(value, expected, name)


def device_step(**settings):
    """Return a `Step` that draws and keeps its numbers as on a GPU, and the batches of its epochs."""
    experiment = changed(**BLENDED, augmentation=("flip", "affine_half", "contrast", "erasing"), **settings)
    model = fitting.build(experiment, PARTS["train"])
    model.optimizer.build(model.trainable_variables)
    batches = Batches(PARTS["train"], experiment)
    function = step.Step(model, batches.images, batches.targets, 8)
    function.on_device = True
    return function, batches


@pytest.mark.parametrize("optimizer", ["adam", "muon", "rmsprop", "sgd"])
def test_from_the_second_step_on_nothing_passes_between_processor_and_device(monkeypatch, optimizer):
    monkeypatch.setitem(fitting.OPTIMIZERS, "adam", keras.optimizers.Adam)  # the update of a GPU
    function, batches = device_step(
        model="resnet", model_options={"filters": (4, 8), "blocks": (1, 2), "squeeze": 2}, optimizer=optimizer
    )
    function.start(batches.plan())
    function(8)
    kept = len(function.constants.kept)
    with Operations() as operations:
        function(8)
    assert kept == len(function.constants.kept) > 0
    assert not operations.calls.keys() & {"lift_fresh", "_local_scalar_dense", "nonzero", "manual_seed"}


def test_random_numbers_on_a_device_follow_torchs_own_generator():
    function, batches = device_step(optimizer="sgd", schedule="constant")
    variables = [*function.model.variables, *function.model.optimizer.variables]
    start, found = [array(v) for v in variables], []
    for seed in (1, 1, 2):
        for variable, value in zip(variables, start, strict=True):
            variable.assign(value)
        torch.manual_seed(seed)
        function.start(batches.plan())
        function(8)
        found.append(array(function.model.trainable_variables[0]))
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0] != found[2]).any()


@pytest.mark.parametrize("normalization", [True, False])
def test_teachers_classify_the_images_that_the_network_learns_from(tmp_path, normalization):
    path = str(tmp_path / "teacher.keras")
    saving.save(saving.publish(fitting.build(changed(seed=7, normalization=True), PARTS["train"])), path)
    experiment = changed(
        normalization=normalization, teachers=(path, path), distillation=1.0, teacher_view="augmented"
    )
    function, name = distillation.teacher(experiment, fitting.build(experiment, PARTS["train"]), EMOTIONS)
    assert name == ("normalization" if normalization else "rescaling")
    images = PARTS["validation"].images
    model = fitting.build(experiment, PARTS["train"])
    view = model.get_layer(name)(images)
    np.testing.assert_allclose(
        array(function(view)), probabilities(saving.load(path), images), atol=1e-5, rtol=1e-4
    )


def test_a_network_learns_what_its_teacher_says_of_augmented_images(tmp_path):
    """All of the target is the teacher's: the labels do not count."""
    path = str(tmp_path / "teacher.keras")
    saving.save(saving.publish(fitting.build(changed(seed=7, normalization=True), PARTS["train"])), path)
    experiment = changed(normalization=True, augmentation=("flip", "affine"), teachers=(path,), distillation=1.0)
    experiment = dataclasses.replace(experiment, teacher_view="augmented")
    assert distillation.soft_targets(Batches(PARTS["train"], experiment)) is None
    other = PARTS["train"].take(np.arange(30))
    other = dataclasses.replace(other, labels=(other.labels + 1) % 7)
    weights = []
    for train in (PARTS["train"], other):
        model = fitting.build(experiment, train)
        fitting.fit(model, experiment, Batches(train, experiment), None, on_epoch=lambda row: None)
        weights.append(array(model.trainable_variables[0]))
    np.testing.assert_array_equal(*weights)


@pytest.mark.parametrize("crop, pixels", [("crop_44", 4), ("train_crop_40", 8)])
def test_teachers_need_images_of_their_size(crop, pixels):
    network = {"model": "resnet", "model_options": {"filters": (2,), "blocks": (1,)}}
    experiment = changed(
        augmentation=(crop, "flip"), **network, teachers=("a",), distillation=0.5, teacher_view="augmented"
    )
    with pytest.raises(InputError, match=f"'{crop}' crops them by {pixels} pixels"):
        distillation.teacher(experiment, fitting.build(experiment, PARTS["train"]), EMOTIONS)


def test_teachers_of_augmented_images_need_the_classes_of_the_data(tmp_path):
    path, other = str(tmp_path / "teacher.keras"), tuple("abcdefg")
    saving.save(saving.publish(fitting.build(changed(), PARTS["train"])), path, other)
    experiment = changed(teachers=(path,), distillation=0.5, teacher_view="augmented")
    with pytest.raises(InputError, match="has the classes a, b, c, d, e, f, g, but the data has angry"):
        distillation.teacher(experiment, fitting.build(experiment, PARTS["train"]), EMOTIONS)


@pytest.mark.skipif(torch.cuda.is_available(), reason="nothing stands in the way there")
def test_what_stands_in_the_way_of_a_capture_is_reported(caplog):
    found, expected = trained(changed(epochs=1), True), trained(changed(epochs=1), False)
    assert caplog.messages[0] == "The training step is not captured: there is no CUDA device."
    assert found[1] == expected[1]


class Cuda:
    """Stands in for `torch.cuda`: a graph repeats the step that it was captured from.

    Args:
        steps: list to note the steps in.
        error: raised by the capture, or `None`.
    """

    def __init__(self, steps, error=None):
        self.steps, self.error = steps, error
        self.Stream = self.current_stream = lambda: types.SimpleNamespace(wait_stream=lambda other: None)
        self.stream = lambda stream: contextlib.nullcontext()

    def CUDAGraph(self):
        graph = types.SimpleNamespace()
        graph.replay = lambda: self.steps.append(("replayed", graph.count))
        return graph

    @contextlib.contextmanager
    def graph(self, graph, *, stream, capture_error_mode):
        yield
        _, graph.count = self.steps.pop()  # a capture computes nothing
        if self.error:
            raise self.error


def graphed(monkeypatch, counts, error=None):
    steps = []
    monkeypatch.setattr(step.torch, "cuda", Cuda(steps, error))
    function = step.GraphedStep(lambda count: steps.append(("ran", count)))
    for count in counts:
        function(count)
    return steps


def test_a_step_is_captured_after_three_runs_for_each_number_of_images(monkeypatch):
    steps = graphed(monkeypatch, [8, 8, 6, 8, 8, 6, 8, 6, 6])
    assert [kind for kind, count in steps if count == 8] == ["ran"] * 3 + ["replayed"] * 2
    assert [kind for kind, count in steps if count == 6] == ["ran"] * 3 + ["replayed"]


def test_a_step_that_cannot_be_captured_goes_on_without(monkeypatch, caplog):
    error = RuntimeError("operation not permitted when stream is capturing\nmore")
    assert graphed(monkeypatch, [8] * 6, error) == [("ran", 8)] * 6
    assert caplog.messages == [
        "The training step cannot be captured: operation not permitted when stream is capturing. Training "
        "continues without."
    ]
