"""Real trainings of small models on a few random faces."""

import dataclasses
import math
import re
import threading
import zipfile

import keras
import numpy as np
import pytest
from helpers.data_forms import tiny

from fer_keras import Experiment
from fer_keras.core.errors import InputError
from fer_keras.data import split
from fer_keras.training import checkpoints, fitting, losses, schedules
from fer_keras.training.dataset import Batches

EPOCH_KEYS = (
    *("epoch", "train_loss", "train_acc", "val_loss", "val_acc"),
    *("weight_norm", "grad_ratio", "epoch_time", "learning_rate"),
)
PARTS = split(tiny((30, 7, 7)))
NN = Experiment(name="x", model_options={"units": (8,)}, batch_size=8, epochs=4)
# Everything that draws random numbers or keeps a state of its own.
STATEFUL = Experiment(
    name="x",
    model="cnn",
    model_options={
        "filters": (3,),
        "units": (6,),
        "convolution_normalization": "batch",
        "convolution_dropout": 0.1,
        "normalization": "batch",
        "dropout": 0.3,
        "l2": 1e-3,
    },
    normalization=True,
    augmentation=("flip",),
    optimizer="adamw",
    learning_rate=0.01,
    schedule="one_cycle",
    batch_size=8,
    epochs=4,
    seed=5,
)

BLENDED = dataclasses.replace(
    STATEFUL,
    augmentation=("flip", "affine", "erasing"),
    mixup=0.4,
    cutmix=1.0,
    label_smoothing=0.1,
    class_weight="balanced",
    optimizer_options={"use_ema": True, "ema_momentum": 0.9},
    sam=0.05,
    schedule="plateau",
)


def array(value):
    return keras.ops.convert_to_numpy(value).copy()


def changed(experiment, **changes):
    return dataclasses.replace(experiment, **changes)


def train(experiment, checkpoint, on_epoch=None, on_histograms=lambda *row: None, parts=PARTS):
    """Build and fit; return the model and the rows of its epochs without their times."""
    rows = []

    def note(row):
        rows.append({key: value for key, value in row.items() if key != "epoch_time"})
        if on_epoch:
            on_epoch(row)

    model = fitting.build(experiment, parts["train"])
    fit = {"on_epoch": note, "on_histograms": on_histograms, "checkpoint": checkpoint}
    fitting.fit(model, experiment, Batches(parts["train"], experiment), parts["validation"], **fit)
    return model, rows


def state(model):
    return [(v.name, array(v)) for v in [*model.variables, *model.optimizer.variables]]


def assert_equal(one, other):
    for (name, value), (_, expected) in zip(one, other, strict=True):
        np.testing.assert_array_equal(value, expected, name)


@pytest.fixture
def precision():
    """Sets the dtype policy for one test."""
    before = keras.config.dtype_policy()
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy(before)


def test_row_of_an_epoch_has_every_metric_of_the_study(tmp_path):
    rows = []
    train(NN, tmp_path / "c.npz", rows.append)
    metrics = ("grad_ratio", "weight_norm", "gradient_sd", "gradient_iqr", "weight_sd", "weight_iqr")
    layers = [f"{metric}/{layer}" for metric in metrics for layer in ("dense_1", "logits")]
    for row in rows:
        of_the_last = {"train_acc_inference"} if row["epoch"] > 1 else set()
        assert set(row) == {*EPOCH_KEYS, *layers, *of_the_last}
        assert all(type(value) is float and math.isfinite(value) for key, value in row.items() if key != "epoch")
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert [row["learning_rate"] for row in rows] == pytest.approx([1e-3] * 4)


def test_validation_scores_are_those_of_the_validation_images(tmp_path):
    model, rows = train(NN, tmp_path / "c.npz")
    logits = array(model(PARTS["validation"].images)).astype("float64")
    labels = PARTS["validation"].labels
    logarithms = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    assert rows[-1]["val_acc"] == pytest.approx(np.mean(logits.argmax(axis=1) == labels))
    assert rows[-1]["val_loss"] == pytest.approx(-logarithms[np.arange(7), labels].mean(), rel=1e-4)


def test_seed_decides_the_history(tmp_path):
    first, again, other = (
        train(changed(STATEFUL, seed=seed, epochs=2), tmp_path / name)[1]
        for seed, name in ((5, "a.npz"), (5, "b.npz"), (6, "c.npz"))
    )
    assert first == again
    assert first[0]["train_loss"] != other[0]["train_loss"]


class Stop(Exception):
    pass


def stop_after(epoch):
    def on_epoch(row):
        if row["epoch"] == epoch:
            raise Stop

    return on_epoch


# bfloat16 on torch only: elsewhere no training is done in it.
PRECISIONS = ["float32"] + ["mixed_bfloat16"] * (keras.backend.backend() == "torch")


@pytest.mark.parametrize("experiment", [STATEFUL, BLENDED], ids=["plain", "blended"])
@pytest.mark.parametrize("policy", PRECISIONS)
def test_continued_training_is_bit_equal_to_an_uninterrupted_one(
    tmp_path, precision, policy, experiment, monkeypatch
):
    precision(policy)
    monkeypatch.setitem(schedules.PLATEAU, "patience", 2)
    whole, rows = train(experiment, tmp_path / "whole.npz")
    checkpoint = tmp_path / "parts.npz"
    for epoch in (1, 2, 4):  # stopped before the checkpoint of that epoch is written
        with pytest.raises(Stop):
            train(experiment, checkpoint, stop_after(epoch))
        assert checkpoints.epochs_done(checkpoint) == epoch - 1
    continued, last = train(experiment, checkpoint)
    assert last == rows[3:]
    assert_equal(state(continued), state(whole))
    assert checkpoints.epochs_done(checkpoint) == 4


@pytest.mark.parametrize("loss", ["cross_entropy", "focal", "generalized_cross_entropy"])
def test_every_loss_learns(tmp_path, loss):
    changes = {"label_smoothing": 0.1, "epochs": 15, "learning_rate": 0.01, "normalization": True}
    _, rows = train(changed(NN, loss=loss, **changes), tmp_path / "a.npz")
    assert rows[-1]["train_loss"] < 0.9 * rows[0]["train_loss"]
    assert rows[-1]["train_acc"] > rows[0]["train_acc"]


def test_generalized_cross_entropy_worked_out_by_hand():
    logits = np.log(np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]], "float32"))
    targets = np.array([[1, 0, 0], [0, 0.5, 0.5]], "float32")
    found = float(losses.GeneralizedCrossEntropy(q=0.5)(targets, logits))
    assert found == pytest.approx((2 * (1 - 0.5**0.5) + 2 * (1 - 0.45**0.5)) / 2, rel=1e-5)


def test_balanced_weights_are_those_of_equal_classes():
    labels = np.array([0, 0, 0, 1])  # 4 images over 2 classes: 2 each would be equal
    assert fitting._class_weight(labels, changed(NN, class_weight="balanced")) == {0: 2 / 3, 1: 2.0}
    assert fitting._class_weight(labels, NN) is None


def test_every_epoch_of_a_continued_training_has_the_row_of_the_uninterrupted_one(tmp_path):
    _, rows = train(STATEFUL, tmp_path / "whole.npz")
    kept = []

    def on_epoch(row):
        if row["epoch"] == 3 and len(kept) < 3:
            raise Stop

    checkpoint = tmp_path / "parts.npz"
    with pytest.raises(Stop):
        train(STATEFUL, checkpoint, on_epoch)
    _, rest = train(STATEFUL, checkpoint)
    assert rest == rows[2:]


def test_infinite_loss_stops_the_training_before_anything_of_the_epoch_is_kept(tmp_path):
    rows, experiment = [], changed(NN, optimizer="sgd", learning_rate=1e38)
    with pytest.raises(InputError, match=r"^The training loss became \w+ by step \d of epoch 1, at a learning "):
        train(experiment, tmp_path / "c.npz", rows.append)
    assert rows == [] and not (tmp_path / "c.npz").exists()


def test_infinite_validation_loss_is_told():
    callback = fitting.callbacks.FiniteLoss()
    callback.set_model(fitting.build(NN, PARTS["train"]))
    callback.on_epoch_begin(2)
    callback.on_train_batch_end(0, {"loss": 1.0})
    callback.on_epoch_end(2, {"loss": 1.0, "val_loss": 2.0})
    with pytest.raises(InputError, match="^The validation loss became inf after epoch 3, at a learning rate "):
        callback.on_epoch_end(2, {"loss": 1.0, "val_loss": math.inf})


@pytest.mark.parametrize(
    "damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"rubbish", lambda b: b[:100]]
)
def test_damaged_checkpoint_is_told(tmp_path, damage):
    checkpoint = tmp_path / "checkpoint.npz"
    train(NN, checkpoint)
    checkpoint.write_bytes(damage(checkpoint.read_bytes()))
    with pytest.raises(InputError, match="checkpoint.npz is damaged: .* Delete it and run again"):
        train(NN, checkpoint)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": np.arange(3)}, "expected the number of finished epochs, found array"),
        ({"epochs": np.array(np.inf)}, "expected the number of finished epochs, found array"),
        ({"epochs": np.array(-5)}, "expected the number of finished epochs, found array"),
        ({"epochs": np.array("x")}, "expected the number of finished epochs, found array"),
        ({"0": np.zeros((1, 2))}, ""),
        ({"0": np.array([1j])}, ""),
        ({"0": np.array(["a"])}, ""),
        ({"0": np.array([{}], dtype=object)}, ""),
    ],
)
def test_checkpoint_of_other_arrays_is_told(tmp_path, changes, message):
    checkpoint = tmp_path / "checkpoint.npz"
    train(NN, checkpoint)
    with np.load(checkpoint) as arrays:
        np.savez(checkpoint, **{**arrays, **changes})
    with pytest.raises(InputError, match=f"checkpoint.npz is damaged: {message}.* Delete it and run") as caught:
        train(NN, checkpoint)
    assert "\n" not in str(caught.value)


HUGE = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000)}\n"


@pytest.mark.parametrize("header", [HUGE, b"(" * 3000 + b")" * 3000 + b"\n", b"-" * 9000 + b"1\n"])
def test_checkpoint_that_declares_what_no_memory_holds_is_told(tmp_path, header):
    checkpoint = tmp_path / "checkpoint.npz"
    train(NN, checkpoint)
    with zipfile.ZipFile(checkpoint) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["0.npy"] = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with zipfile.ZipFile(checkpoint, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(InputError, match="checkpoint.npz is damaged: .* Delete it and run again"):
        train(NN, checkpoint)


def test_single_array_is_no_checkpoint(tmp_path):
    with open(tmp_path / "checkpoint.npz", "wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(InputError, match="checkpoint.npz is damaged: File is not a zip file. Delete it"):
        checkpoints.epochs_done(tmp_path / "checkpoint.npz")


def test_checkpoint_of_another_model_is_told(tmp_path):
    train(NN, tmp_path / "checkpoint.npz")
    other = changed(NN, model_options={"units": (9,)})
    with pytest.raises(InputError, match="Delete it and run again"):
        train(other, tmp_path / "checkpoint.npz")


def test_finished_training_is_left_as_it_is(tmp_path):
    model, _ = train(NN, tmp_path / "c.npz")
    again, rows = train(NN, tmp_path / "c.npz")
    assert rows == []
    assert_equal(state(again), state(model))


def test_histograms_come_each_epoch_by_layer(tmp_path):
    seen = []
    train(NN, tmp_path / "c.npz", on_histograms=lambda epoch, kinds: seen.append((epoch, kinds)))
    assert [epoch for epoch, _ in seen] == [1, 2, 3, 4]
    for _, kinds in seen:
        assert sum(kinds["parameters"]["dense_1"]["counts"]) == 2304 * 8
        assert sum(kinds["gradients"]["logits"]["counts"]) == 8 * 7


def test_measuring_does_not_change_the_training(tmp_path, monkeypatch):
    measured, rows = train(STATEFUL, tmp_path / "a.npz")
    for callback in ("Histograms", "InferenceAccuracy", "RecalibratedAccuracy"):
        monkeypatch.setattr(getattr(fitting.callbacks, callback), "on_epoch_end", lambda *_, logs=None: None)
    plain, fewer = train(STATEFUL, tmp_path / "b.npz")
    assert [{key: row[key] for key in same} for row, same in zip(rows, fewer, strict=True)] == fewer
    assert_equal(state(measured), state(plain))


def test_recalibrated_accuracy_is_of_the_last_epoch_and_of_batchnorm_alone(tmp_path):
    _, rows = train(STATEFUL, tmp_path / "a.npz")
    assert ["val_acc_recalibrated" in row for row in rows] == [False, False, False, True]


def test_stratified_takes_each_classs_share_and_always_the_same():
    labels = np.array([1, 0, 0, 1, 0, 0, 2, 2])
    # By class: places 1 2 4 5, then 0 3, then 6 7; every second of them.
    np.testing.assert_array_equal(fitting.stratified(labels, 4), [0, 1, 4, 6])
    np.testing.assert_array_equal(fitting.stratified(labels, 99), np.arange(8))


def test_learns_14_images_by_heart(tmp_path):
    few = {"train": PARTS["train"].take(slice(14)), "validation": PARTS["validation"]}
    experiment = changed(NN, model_options={"units": (64,)}, batch_size=14, epochs=50)
    _, rows = train(experiment, tmp_path / "c.npz", parts=few)
    assert rows[-1]["train_acc"] == 1 and rows[-1]["train_loss"] < 0.2
    assert rows[0]["train_acc"] < 0.6


def test_progress_is_a_line_for_each_epoch(tmp_path, capsys, caplog):
    caplog.set_level("INFO", "fer_keras")
    train(NN, tmp_path / "c.npz")
    assert capsys.readouterr().out == ""
    number = r"\d+\.\d+"
    for epoch in range(1, 5):
        line = rf"epoch {epoch}/4  loss {number}  acc {number}  val_loss {number}  val_acc {number}  \S+ s"
        assert len(re.findall(line, "\n".join(caplog.messages))) == 1
    assert caplog.records[-1].values["epoch"] == 4 and caplog.records[-1].values["val_loss"] > 0


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="the others get arrays")
@pytest.mark.parametrize(
    "settings", [{}, {"mixup": 0.4}, {"cutmix": 1.0}, {"sam": 0.1, "mixup": 0.4, "cutmix": 1.0}]
)
def test_batches_of_images_on_the_device_are_those_of_arrays(settings):
    import torch

    experiment, train = changed(STATEFUL, label_smoothing=0.1, **settings), PARTS["train"]
    tensor = torch.from_numpy(np.array(train.images))
    of_arrays, of_tensors = Batches(train, experiment), Batches(train, experiment)
    of_tensors.images = tensor
    for epoch in 1, 2:
        of_arrays.start(epoch)
        of_tensors.start(epoch)
        for (images, said), (found, told) in zip(of_arrays, of_tensors, strict=True):
            assert isinstance(found, torch.Tensor) and str(images.dtype) in str(found.dtype)
            np.testing.assert_allclose(found.numpy(), images, atol=1e-4)
            np.testing.assert_array_equal(told, said)
    np.testing.assert_array_equal(tensor.numpy(), train.images)


READS = ("__bool__", "__float__", "__int__", "cpu", "item", "numpy", "tolist")  # of tensors: on a GPU they wait


def reads(monkeypatch, batches, experiment):
    """Return how often an epoch of so many batches of 4 looks into a tensor from the thread that trains."""
    import torch

    experiment, train = changed(experiment, batch_size=4, epochs=1), PARTS["train"].take(np.arange(4 * batches))
    model, calls, here = fitting.build(experiment, train), [], threading.get_ident()

    def counting(read):
        def counted(tensor, *arguments, **options):
            if threading.get_ident() == here:
                calls.append(1)
            return read(tensor, *arguments, **options)

        return counted

    with monkeypatch.context() as patch:
        for name in READS:
            patch.setattr(torch.Tensor, name, counting(getattr(torch.Tensor, name)))
        fitting.fit(model, experiment, Batches(train, experiment), None, on_epoch=lambda row: None)
    return len(calls)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="other backends compile their steps")
@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "adam"},
        {"optimizer": "adamw", "optimizer_options": {"weight_decay": 0.01}, "schedule": "cosine"},
        {
            "optimizer": "muon",
            "optimizer_options": {"weight_decay": 0.01},
            "mixup": 0.2,
            "augmentation": ("erasing",),
        },
        {"optimizer": "rmsprop", "augmentation": ("affine_half", "crop_40", "contrast")},
        {"optimizer": "sgd", "optimizer_options": {"global_clipnorm": 1.0, "use_ema": True}},
    ],
    ids=lambda settings: settings["optimizer"],
)
def test_no_step_waits_for_the_device(monkeypatch, settings):
    # As on a GPU, where the fused update for processors and their dropout are not used.
    for name, own in ("adam", keras.optimizers.Adam), ("adamw", keras.optimizers.AdamW):
        monkeypatch.setitem(fitting.OPTIMIZERS, name, own)
    options = STATEFUL.model_options | {"convolution_dropout": 0.0, "dropout": 0.0}
    experiment = changed(STATEFUL, optimizer_options={}, model_options=options, label_smoothing=0.1)
    experiment = changed(experiment, **settings)
    assert 0 < reads(monkeypatch, 3, experiment) == reads(monkeypatch, 6, experiment)


def rates(steps, **settings):
    """Learning rates at `steps` of a training of 20 steps: 5 epochs of 30 images in batches of 8."""
    optimizer = fitting.build(changed(NN, epochs=5, learning_rate=0.2, **settings), PARTS["train"]).optimizer
    values = []
    for step in steps:
        optimizer.iterations.assign(step)
        values.append(float(array(optimizer.learning_rate)))
    return values


def test_constant_rate():
    assert rates([0, 10, 20]) == pytest.approx([0.2] * 3)


def test_cosine_goes_from_the_peak_to_0():
    assert rates([0, 5, 10, 20], schedule="cosine") == pytest.approx([0.2, 0.1 * (1 + 0.5**0.5), 0.1, 0], abs=1e-7)


def test_one_cycle_is_keras_own_cosine_with_a_warm_up():
    own = keras.optimizers.schedules.CosineDecay(0.0, 24, warmup_target=0.02, warmup_steps=6)
    given = schedules.OneCycle(0.02, 30)
    for step in range(32):
        step = keras.ops.convert_to_tensor(step, "int32")
        assert float(given(step)) == pytest.approx(float(own(step)), rel=1e-6, abs=1e-12)


def test_one_cycle_warms_up_for_a_fifth_then_goes_down_to_0():
    assert rates([0, 1, 2, 4, 12, 20], schedule="one_cycle") == pytest.approx(
        [0, 0.05, 0.1, 0.2, 0.1, 0], abs=1e-7
    )


def test_steps_keep_the_rate_for_a_third_then_take_a_tenth_off_again_and_again(tmp_path):
    steps = changed(NN, learning_rate=0.2, schedule="steps")
    (callback,) = schedules.callbacks(None, changed(steps, epochs=250))
    found = [callback.schedule(epoch) for epoch in (0, 84, 85, 89, 90, 249)]
    assert found == pytest.approx([0.2, 0.2, 0.18, 0.18, 0.162, 0.2 * 0.9**33])
    rows = train(steps, tmp_path / "c.npz")[1]  # of 4 epochs
    assert [row["learning_rate"] for row in rows] == pytest.approx([0.2, 0.2, 0.18, 0.162])


def test_plateau_lowers_the_rate_after_six_epochs_without_a_new_best(tmp_path):
    model = fitting.build(changed(NN, learning_rate=0.2, schedule="plateau"), PARTS["train"])
    plateau = schedules.Plateau(model)
    plateau.set_model(model)
    found = []
    # The best in epoch 2 and six without; a new one in the fifth after those, and six without.
    for epoch, accuracy in enumerate([0.4, 0.5] + [0.5, 0.4] * 3 + [0.1] * 4 + [0.6] + [0.6] * 6):
        plateau.on_epoch_end(epoch, {"val_acc": accuracy})
        found.append(float(array(model.optimizer.learning_rate)))
    assert found == pytest.approx([0.2] * 7 + [0.15] * 11 + [0.1125])


@pytest.mark.parametrize("name", fitting.OPTIMIZERS)
def test_optimizer_is_the_named_one_with_its_options(name):
    options = {"global_clipnorm": 1.5, "weight_decay": 0.01}
    experiment = changed(NN, optimizer=name, optimizer_options=options, learning_rate=0.25)
    optimizer = fitting.build(experiment, PARTS["train"]).optimizer
    assert isinstance(optimizer, fitting.OPTIMIZERS[name])
    assert optimizer.global_clipnorm == 1.5 and optimizer.weight_decay == 0.01
    assert float(array(optimizer.learning_rate)) == 0.25


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"model": "vgg99"}, "Unknown model 'vgg99'. Expected one of: cnn, nn, resnet, resnet_v1, vgg."),
        ({"model_options": {"widths": (3,)}}, "Model 'nn' has no option 'widths'."),
        ({"augmentation": ("spin",)}, "Unknown augmentation 'spin'. Expected one of: flip, affine, "),
        ({"optimizer_options": {"momentun": 0.9}}, "optimizer_options do not fit 'adam': "),
        ({"optimizer_options": {"learning_rate": 0.9}}, "optimizer_options do not fit 'adam': "),
        ({"optimizer": "sgd", "optimizer_options": {"momentum": 2}}, "optimizer_options do not fit 'sgd': "),
    ],
)
def test_what_does_not_fit_is_told(changes, message):
    with pytest.raises(InputError, match=re.escape(message)):
        fitting.build(changed(NN, **changes), PARTS["train"])


def test_batches_hold_every_image_once_an_epoch_in_an_order_of_their_own():
    batches = Batches(PARTS["train"], changed(NN, seed=1))
    orders = []
    for epoch in (0, 1, 0):
        batches.start(epoch)
        images, labels = zip(*(batches[i] for i in range(len(batches))), strict=True)
        assert [len(part) for part in labels] == [8, 8, 8, 6]
        assert images[0].dtype == "uint8" and images[0].shape == (8, 48, 48, 1)
        np.testing.assert_array_equal(np.sort(np.concatenate(labels)), np.sort(PARTS["train"].labels))
        orders.append(np.concatenate(images))
    np.testing.assert_array_equal(orders[0], orders[2])
    assert (orders[0] != orders[1]).any()
    assert len(np.unique(orders[1].reshape(30, -1), axis=0)) == 30


def test_with_sam_each_batch_comes_after_its_first_quarter():
    batches = Batches(PARTS["train"], changed(NN, sam=0.1))
    assert [batches.size(i) for i in range(len(batches))] == [2, 8, 2, 8, 2, 8, 2, 6]
    for i in range(0, len(batches), 2):
        (climb, climb_labels), (images, labels) = batches[i], batches[i + 1]
        np.testing.assert_array_equal(climb, images[:2])
        np.testing.assert_array_equal(climb_labels, labels[:2])


def test_sam_of_no_radius_is_the_training_without_it(tmp_path):
    plain, _ = train(NN, tmp_path / "a.npz")
    climbing, rows = train(changed(NN, sam=1e-9), tmp_path / "b.npz")
    for one, other in zip(climbing.trainable_variables, plain.trainable_variables, strict=True):
        np.testing.assert_allclose(array(one), array(other), atol=1e-5)
    assert [row["learning_rate"] for row in rows] == pytest.approx([1e-3] * 4)


def test_sam_changes_what_is_learned_and_leaves_no_weight_away_from_home(tmp_path):
    (plain, _), (climbing, _) = (train(changed(NN, sam=r), tmp_path / f"{r}.npz") for r in (0.0, 0.5))
    differences = [
        np.abs(array(one) - array(other)).max()
        for one, other in zip(climbing.trainable_variables, plain.trainable_variables, strict=True)
    ]
    assert max(differences) > 1e-3
    assert float(array(climbing.optimizer.away)) == 0


def test_overfit_check_stops_where_nothing_is_left_to_learn():
    losses = fitting.overfit_losses(
        changed(NN, model_options={"units": (64,)}, normalization=True), PARTS["train"]
    )
    assert 1 < losses[0] < 6 and losses[-1] < 0.01 and min(losses[:-1]) >= 0.01
    assert len(losses) < 100


def test_overfit_check_ends_after_100_steps_and_leaves_out_schedule_augmentation_and_penalty():
    slow = changed(NN, learning_rate=1e-9)
    plain = fitting.overfit_losses(slow, PARTS["train"])
    assert len(plain) == 100 and max(plain) - min(plain) < 1e-3
    other = changed(slow, schedule="one_cycle", augmentation=("flip",), model_options={"units": (8,), "l2": 10.0})
    assert fitting.overfit_losses(other, PARTS["train"]) == pytest.approx(plain, abs=1e-3)
