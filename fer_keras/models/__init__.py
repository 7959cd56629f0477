"""Architectures by name, and the model around them."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from fer_keras.backend.keras_defaults import keras_defaults
from fer_keras.core.errors import InputError, one_line
from fer_keras.core.files import plain
from fer_keras.experiment import Experiment
from fer_keras.models.augmentation import Crop
from fer_keras.models.cnn import cnn
from fer_keras.models.nn import nn
from fer_keras.models.resnet import resnet
from fer_keras.models.resnet_v1 import resnet_v1
from fer_keras.models.vgg import vgg

MODELS: dict[str, Callable[..., Any]] = {
    "cnn": cnn,
    "nn": nn,
    "resnet": resnet,
    "resnet_v1": resnet_v1,
    "vgg": vgg,
}


@keras_defaults()
def build(
    name: str,
    options: Mapping[str, Any],
    preprocessing: Sequence[keras.Layer],
    *,
    input_shape: tuple[int, int, int] = (48, 48, 1),
    num_classes: int = 7,
) -> keras.Model:
    """Return the functional model that maps raw images to logits.

    Args:
        name: a key of `MODELS`.
        options: `dict`, keywords of that architecture's function.
        preprocessing: layers between the image and the architecture, see `fer_keras.models.preprocessing`.
        input_shape: (height, width, channels) of an image.
        num_classes: `int`.

    Returns:
        A `keras.Model`: images (n, height, width, channels) of values [0, 255] to logits (n, num_classes).

    Raises:
        InputError: if `name` is unknown, `options` do not fit its function, or images are cropped in training
            alone and the architecture flattens them.
    """
    resolved_options(name, options)
    inputs = x = keras.Input(input_shape, name="image")
    for layer in preprocessing:
        x = layer(x)
    model = keras.Model(inputs, _logits(name, options, x, num_classes), name=name)
    _check_sizes(model)
    return model


def _check_sizes(model: keras.Model) -> None:
    crops = [layer.name for layer in model.layers if isinstance(layer, Crop) and not layer.at_inference]
    if crops and any(isinstance(layer, keras.layers.Flatten) for layer in model.layers):
        raise InputError(
            f"The augmentation {crops[0]!r} makes training images smaller than those at inference. "
            f"Model {model.name!r} flattens images, so their size is fixed. Expected a model that averages over "
            "the image, such as 'resnet', or a crop that crops at inference too, such as 'crop_40'."
        )


def resolved_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return every option of the architecture `name`, its defaults included, as a `dict`.

    Raises:
        InputError: as `build`.
    """
    if name not in MODELS:
        raise InputError(f"Unknown model {name!r}. Expected one of: {', '.join(MODELS)}.")
    parameters = inspect.signature(MODELS[name]).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    for option in options:
        if option not in defaults:
            raise InputError(f"Model {name!r} has no option {option!r}. Expected one of: {', '.join(defaults)}.")
    return defaults | dict(options)


def resolved(experiment: Experiment) -> dict[str, Any]:
    """Return every setting of `experiment` in the types of JSON, with the defaults of its architecture's options.

    Raises:
        InputError: if it names a model or a model option that does not exist.
    """
    options = resolved_options(experiment.model, experiment.model_options)
    return plain(dataclasses.asdict(experiment) | {"model_options": options})


def _logits(name: str, options: Mapping[str, Any], x: Any, num_classes: int) -> Any:
    try:
        return MODELS[name](x, num_classes, **options)
    except InputError:
        raise
    except (TypeError, ValueError) as error:
        given = ", ".join(f"{option}={value!r}" for option, value in options.items())
        reason = one_line(error)
        raise InputError(f"Model {name!r} cannot be built with {given}: {reason}") from error
