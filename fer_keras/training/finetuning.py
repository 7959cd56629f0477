"""Fine-tuning for other classes: first the last layer, then the whole network at a low learning rate."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_class_weight

from fer_keras.backend import layers
from fer_keras.core.errors import InputError
from fer_keras.core.progress import progress
from fer_keras.data import Faces
from fer_keras.models.augmentation import RandomAffine, RandomFlip
from fer_keras.training import callbacks
from fer_keras.training.fitting import stratified

PENALTIES = (0.001, 0.01, 0.1, 1.0)  # C of the logistic regression, chosen by validation loss
EPOCHS = 12
PATIENCE = 3
BATCH_SIZE = 32
LEARNING_RATE = 2e-4  # a tenth of AdamW's rate for training from scratch; cosine decay to 0
WEIGHT_DECAY = 1e-3
SHARES = (0.25, 0.5, 1.0)  # of the training images, for the learning curve
FEATURE_BATCH = 256


@dataclasses.dataclass(frozen=True)
class Features:
    """Features from the frozen body: of the training images, their mirror images and the validation images.

    Args:
        train, mirrored, validation: float32 (n, features).
        labels, validation_labels: (n,).
    """

    train: np.ndarray
    mirrored: np.ndarray
    validation: np.ndarray
    labels: np.ndarray
    validation_labels: np.ndarray


@dataclasses.dataclass(frozen=True)
class Head:
    """The last layer: logits are features @ kernel + bias. `loss` and `accuracy` are on the validation images."""

    kernel: np.ndarray
    bias: np.ndarray
    loss: float
    accuracy: float


def body_of(model: keras.Model) -> keras.Model:
    """Return a copy of `model` up to the input of its last layer with weights, which must be a `Dense` layer.

    Args:
        model: images (n, 48, 48, 1) of values [0, 255] to classes.

    Raises:
        InputError: if it takes other images or ends in another layer.
    """
    if tuple(model.inputs[0].shape[1:]) != (48, 48, 1):
        raise InputError(
            f"Model {model.name!r} takes images of shape {tuple(model.inputs[0].shape[1:])}. Only networks for "
            "(48, 48, 1) can be fine-tuned."
        )
    copy = layers.fast(model)
    weighted = [layer for layer in getattr(copy, "layers", []) if layer.weights]
    if not weighted or not isinstance(weighted[-1], keras.layers.Dense):
        kind = type(weighted[-1]).__name__ if weighted else "no layer with weights"
        raise InputError(f"Model {model.name!r} ends in {kind}, expected a Dense layer that gives its classes.")
    return keras.Model(copy.inputs[0], weighted[-1].input, name=model.name)


def features_of(body: keras.Model, train: Faces, validation: Faces, advance: Callable[[float], None]) -> Features:
    """Return the `Features` of the images; `advance` is called with the number of images done."""

    def passed(images: Any, turn: int = 1) -> np.ndarray:
        found = []
        for start in range(0, len(images), FEATURE_BATCH):
            batch = np.asarray(images[start : start + FEATURE_BATCH])[:, :, ::turn]
            batch = np.ascontiguousarray(batch, "float32")
            found.append(keras.ops.convert_to_numpy(body.predict_on_batch(batch)))
            advance(len(batch))
        return np.concatenate(found)

    own, mirrored = passed(train.images), passed(train.images, -1)
    return Features(own, mirrored, passed(validation.images), train.labels, validation.labels)


def fit_head(features: Features, rows: np.ndarray, classes: int) -> Head:
    """Return the class-balanced logistic regression on the training images `rows` of least validation loss."""
    train = np.concatenate([features.train[rows], features.mirrored[rows]])
    labels = np.tile(features.labels[rows], 2)
    mean, spread = train.mean(axis=0), train.std(axis=0) + 1e-6
    heads = []
    for penalty in PENALTIES:
        fitted = LogisticRegression(C=penalty, class_weight="balanced", max_iter=500)
        fitted.fit((train - mean) / spread, labels)
        kernel, bias = fitted.coef_.T, fitted.intercept_
        if classes == 2:  # the one column is the difference of two logits
            kernel, bias = np.concatenate([-kernel, kernel], axis=1) / 2, np.concatenate([-bias, bias]) / 2
        kernel = kernel / spread[:, None]
        heads.append(_scored(kernel, bias - mean @ kernel, features))
    return min(heads, key=lambda head: head.loss)


def _scored(kernel: np.ndarray, bias: np.ndarray, features: Features) -> Head:
    logits = features.validation @ kernel + bias
    logits -= logits.max(axis=1, keepdims=True)
    labels = features.validation_labels
    losses = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(labels)), labels]
    return Head(kernel, bias, float(losses.mean()), float((logits.argmax(axis=1) == labels).mean()))


def learning_curve(features: Features, classes: int) -> tuple[list[dict[str, Any]], Head]:
    """Return the validation accuracy of heads trained on shares of the training images, and the head of all.

    Each row has `images`, `share`, `accuracy` and `loss`. Shares that lack a class are left out.
    """
    rows = []
    for share in SHARES:
        chosen = stratified(features.labels, round(share * len(features.labels)))
        if len(np.unique(features.labels[chosen])) < classes:
            continue
        head = fit_head(features, chosen, classes)
        rows.append({"images": len(chosen), "share": share, "accuracy": head.accuracy, "loss": head.loss})
    return rows, head


def with_head(body: keras.Model, head: Head) -> keras.Model:
    """Return `body` with `head` on top, from images to logits. Batch normalization keeps its statistics."""
    dense = keras.layers.Dense(head.kernel.shape[1], dtype="float32", name="logits")
    model = keras.Model(body.inputs[0], dense(body.outputs[0]), name=body.name)
    dense.set_weights([head.kernel.astype("float32"), head.bias.astype("float32")])
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):  # statistics of few images are unreliable
            layer.trainable = False
    return model


def fit_all(
    model: keras.Model,
    train: Faces,
    validation: Faces,
    seed: int,
    *,
    learning_rate: float = LEARNING_RATE,
    epochs: int = EPOCHS,
    patience: int = PATIENCE,
) -> list[dict[str, Any]]:
    """Train all layers of `model` with random flips and small affine moves; return a row for each epoch.

    The model ends with the weights of the lowest validation loss, which may be the initial ones.

    Args:
        model: as `with_head` returns it; its weights are changed.
        train, validation: `Faces` of the classes of its logits.
        seed: of shuffling, dropout and augmentation.
        learning_rate: of AdamW at the start; it decays to 0 by half a cosine.
        epochs: at most.
        patience: epochs without a lower validation loss, after which training ends.

    Raises:
        InputError: if the loss becomes NaN or infinite.
    """
    keras.utils.set_random_seed(seed)
    images = keras.Input((48, 48, 1), name="image")
    moved = RandomAffine(seed=seed + 1, name="affine")(RandomFlip("horizontal", seed=seed, name="flip")(images))
    trained = keras.Model(images, model(moved))
    steps = epochs * -(-len(train) // BATCH_SIZE)
    trained.compile(
        keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(learning_rate, steps), weight_decay=WEIGHT_DECAY
        ),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="acc")],
    )
    scored = np.asarray(validation.images, "float32"), validation.labels
    weights = compute_class_weight("balanced", classes=np.unique(train.labels), y=train.labels)
    rows: list[dict[str, Any]] = []
    with progress() as bars:
        trained.fit(
            np.asarray(train.images, "float32"),
            train.labels,
            batch_size=BATCH_SIZE,
            epochs=epochs,
            validation_data=scored,
            class_weight=dict(enumerate(weights.tolist())),
            callbacks=[
                callbacks.FiniteLoss(),
                BestWeights(trained.evaluate(*scored, verbose=0)[0], patience),
                callbacks.EpochTime(),
                callbacks.EpochRows(rows.append),
                callbacks.ProgressBar(bars),
            ],
            verbose=0,
        )
    return rows


class BestWeights(keras.callbacks.Callback):
    """Stops after `patience` epochs without a lower validation loss and restores the best weights.

    Args:
        loss: validation loss before training.
        patience: as above.
    """

    def __init__(self, loss: float, patience: int) -> None:
        super().__init__()
        self.loss, self.patience, self.waited = loss, patience, 0

    def on_train_begin(self, logs: Any = None) -> None:
        self.best = self.model.get_weights()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.waited += 1
        if logs["val_loss"] < self.loss:
            self.loss, self.waited, self.best = logs["val_loss"], 0, self.model.get_weights()
        self.model.stop_training = self.waited >= self.patience

    def on_train_end(self, logs: Any = None) -> None:
        self.model.set_weights(self.best)
