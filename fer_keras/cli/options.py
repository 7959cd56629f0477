"""Arguments and options shared by commands, and their processing."""

import dataclasses
import functools
import pathlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

import click

from fer_keras.core.choices import ENGINES, INPUT_SCALES, TTA
from fer_keras.experiment import Experiment, load

if TYPE_CHECKING:
    from fer_keras import recognition

Command = TypeVar("Command", bound=Callable)
INTERRUPTED = 130  # the shell's code for a program ended by Ctrl-C


file_argument = click.argument("file", type=click.Path(path_type=pathlib.Path))
data_option = click.option(
    "--data",
    type=click.Path(),
    help="A face set in any format: CSV, folder, archive, parquet; 'synthetic' for generated faces. "
    "[default: FER_DATA, else the result of `fer-keras data fetch`, else synthetic faces]",
)


def _parse_data_classes(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> str | list[str] | None:
    """Return the `classes` argument of `data.load`."""
    return text if text in (None, "own") else text.split(",")


classes_option = click.option(
    "--classes",
    callback=_parse_data_classes,
    metavar="own|NAMES",
    help="Class names of the data: own for those of its folders or labels, or 2 to 50 names separated by commas. "
    "[default: FER-2013's seven]",
)
label_codes_option = click.option(
    "--label-codes",
    type=click.Choice(["fer2013", "ferplus", "raf-db", "affectnet"]),
    help="The meaning of numbers as labels or folder names.",
)
bit_depth_option = click.option(
    "--bit-depth",
    type=click.IntRange(8, 16),
    help="Bit depth of the values in images of more than 8 bits. [default: from their headers, else from the "
    "largest value of all]",
)


def data_options(command: Command) -> Command:
    """Add --data and how to read it; the command gets them as one argument `data`, a `fer_keras.data.FaceSet`."""
    return _with_face_set(data_option(classes_option(label_codes_option(bit_depth_option(command)))), "data")


def folder_options(command: Command) -> Command:
    """Add how to read the argument FOLDER; the command gets them as one argument `folder`, a `FaceSet`."""
    return _with_face_set(classes_option(label_codes_option(bit_depth_option(command))), "folder")


def _with_face_set(command: Command, name: str) -> Command:
    @functools.wraps(command)
    def with_face_set(
        *args: Any, classes: Any, label_codes: str | None, bit_depth: int | None, **options: Any
    ) -> None:
        from fer_keras.data import FaceSet

        options[name] = FaceSet(options[name], classes, label_codes, bit_depth)
        return command(*args, **options)

    return cast(Command, with_face_set)


seed_option = click.option("--seed", type=click.IntRange(0), help="Instead of the experiment's own seed.")
output_option = click.option(
    "--output",
    type=click.Path(path_type=pathlib.Path),
    default="runs",
    show_default=True,
    help="Folder of the run directories.",
)


def wandb_option(default: str) -> Callable[[Command], Command]:
    return click.option(
        "--wandb",
        type=click.Choice(["auto", "online", "offline", "disabled"]),
        default=default,
        show_default=True,
        help="auto: online if you are logged in, else offline.",
    )


class_order_option = click.option(
    "--class-order",
    metavar="ORDER",
    help="Names of the model's outputs in order, separated by commas, or fer2013 or alphabetical, two orders of "
    "FER-2013's seven. [default: as in the model file]",
)
input_scale_option = click.option(
    "--input-scale",
    type=click.Choice(INPUT_SCALES),
    help="Range of pixel values that the model expects. [default: detected from its first layers]",
)
tta_option = click.option(
    "--tta",
    type=click.Choice(TTA),
    default="none",
    show_default=True,
    help="Test-time augmentation: average over the image and its mirror image, or over ten crops.",
)
model_option = click.option(
    "--model",
    type=click.Path(),
    help="best, tiny or ferplus, which come with the package, or a .keras or .onnx file. [default: best]",
)
engine_option = click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default="auto",
    show_default=True,
    help="auto: ONNX Runtime, if installed, for best, tiny and .onnx files, else Keras.",
)
detector_option = click.option(
    "--detector",
    default="mtcnn",
    show_default=True,
    metavar="mtcnn|haar|none|FILE",
    help="Face detector: MTCNN; OpenCV's Haar cascade; none, for images that are face crops; YuNet from its .onnx "
    "file.",
)
min_face_option = click.option(
    "--min-face",
    type=click.IntRange(20),
    default=40,
    show_default=True,
    help="Side of the smallest face to detect, in pixels. Half of it takes four times as long.",
)
epochs_option = click.option("--epochs", type=click.IntRange(1), help="Instead of the experiment's own epochs.")


face_tta_option = click.option(
    "--tta",
    type=click.Choice(["none", "flip"]),
    default="flip",
    show_default=True,
    help="Test-time augmentation: average over each face and its mirror image.",
)


coverage_option = click.option(
    "--coverage",
    type=float,
    help="0.50 to 0.99: return sets of classes (angry or sad) that contain the right one in this share of cases. "
    "For networks with calibration images.",
)
min_confidence_option = click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    help="Answer unsure if the likeliest class has a lower probability.",
)


def max_pixels_option(default: int) -> Callable[[Command], Command]:
    return click.option(
        "--max-pixels",
        type=click.IntRange(1),
        default=default,
        show_default=True,
        help="Larger images are rejected before they are decoded.",
    )


def fer_options(command: Command) -> Command:
    """Add the options of `open_fer`."""
    detecting = min_face_option, detector_option
    classifying = face_tta_option, engine_option, input_scale_option, class_order_option, model_option
    answering = min_confidence_option, coverage_option
    for option in (bit_depth_option, *detecting, *answering, *classifying):
        command = option(command)
    return command


def open_fer(class_order: str | None, **settings: Any) -> "recognition.FER":
    """Return a `FER` from the values of `fer_options` and further arguments."""
    from fer_keras.recognition import FER

    return FER(classes=parse_classes(class_order), **settings)


def read_experiment(file: pathlib.Path, **changes: Any) -> Experiment:
    given = {name: value for name, value in changes.items() if value is not None}
    return dataclasses.replace(load(file), **given)


def parse_classes(class_order: str | None) -> tuple[str, ...] | None:
    """Return the `classes` argument of `saving.load`: the names in order, or None without the option."""
    if class_order is None:
        return None
    from fer_keras.model_files import class_names

    return class_names.parse_order(class_order)


def end_interrupted() -> NoReturn:
    click.echo("\nInterrupted. Run the same command again to continue after the last whole epoch.", err=True)
    sys.exit(INTERRUPTED)


def synthetic_note(about: dict[str, Any]) -> str:
    return " of the SYNTHETIC faces" if about["synthetic"] else ""
