"""The command that exports a model for programs without Keras."""

import importlib.util
import os
import pathlib
import sys

import click

from fer_keras.cli.options import class_order_option, input_scale_option, parse_classes
from fer_keras.core.choices import InputScale


@click.command()
@click.argument("model", type=click.Path(path_type=pathlib.Path))
@click.option(
    "--format",
    type=click.Choice(["onnx", "torch", "openvino", "tflite"]),
    default="onnx",
    show_default=True,
    help="torch: for `torch.export.load`; openvino: an .xml and a .bin file.",
)
@click.option(
    "--output", type=click.Path(path_type=pathlib.Path), help="[default: MODEL with the suffix of the format]"
)
@class_order_option
@input_scale_option
def export(
    model: pathlib.Path,
    format: str,
    output: pathlib.Path | None,
    class_order: str | None,
    input_scale: InputScale | None,
) -> None:
    """Export MODEL, a .keras file or best, tiny or ferplus, for programs without Keras.

    The file takes any number of grey images (n, 48, 48, 1), whole numbers from 0 to 255, and returns their
    probabilities. Before it is renamed into place, it is compared with Keras.

    \b
    fer-keras export model.keras --format onnx --output model.onnx
    """
    if "keras" not in sys.modules:  # any backend reads MODEL, but each format is written on a particular one
        tensorflow = format == "tflite" and importlib.util.find_spec("tensorflow")
        os.environ["KERAS_BACKEND"] = "tensorflow" if tensorflow else "torch"
    from fer_keras.inference import export
    from fer_keras.inference.input_scale import with_scale
    from fer_keras.model_files import saving
    from fer_keras.model_files.pretrained import is_name, refuse_options

    classes = parse_classes(class_order)
    if is_name(model):
        refuse_options(model, classes, input_scale)
    output = output or model.with_suffix(export.SUFFIXES[format][0])
    network = with_scale(saving.load(model, classes=classes), input_scale)
    difference = export.export(network, output, format)
    click.echo(f"largest difference from Keras' probabilities: {difference:.1e}")
    click.echo(f"written: {', '.join(str(output.with_suffix(suffix)) for suffix in export.SUFFIXES[format])}")
