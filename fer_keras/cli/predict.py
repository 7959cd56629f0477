"""The command that reads faces in photographs, videos and a camera's picture."""

import logging
import pathlib
import sys

import click

from fer_keras.cli.options import class_order_option, detector_option, engine_option, model_option, parse_classes
from fer_keras.core.errors import InputError

LOG = logging.getLogger("fer_keras")
folder = click.Path(path_type=pathlib.Path, file_okay=False)


@click.command()
@click.argument("paths", nargs=-1)
@model_option
@class_order_option
@detector_option
@click.option("--json", "form", flag_value="json", help="Print JSON instead of a table.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV instead of a table, one row for each face.")
@click.option("--annotate", type=folder, metavar="DIR", help="Draw boxes and bars; for videos also a timeline.")
@click.option("--explain", type=folder, metavar="DIR", help="Draw what decided on each face of a photograph.")
@click.option(
    "--every",
    type=click.FloatRange(0, max=3600),
    default=0.2,
    show_default=True,
    help="Seconds between the analyzed frames of a video; 0 for all.",
)
@click.option(
    "--camera", is_flag=False, flag_value="0", metavar="[NUMBER]", help="Show this camera live in a window."
)
@engine_option
def predict(paths, model, class_order, engine, detector, form, annotate, explain, every, camera):
    """Name the expressions of the faces in PATHS: pictures, videos, folders, patterns, - for standard input.

    Ends with 1 if some of the files could not be read, or not to their end; with 2 if none could.

    \b
    fer-keras predict portrait.png
    fer-keras predict photos/ clip.mp4 --csv --annotate drawn/ > faces.csv
    fer-keras predict --camera
    """
    if bool(paths) == (camera is not None):
        raise InputError("Name pictures, videos or folders, or give --camera, and not both.")
    from fer_keras.recognition import FER, batches, inputs

    if camera is not None:
        from fer_keras.recognition import camera as cameras

        return cameras.show(FER(classifier(model, class_order, engine), detector=detector), camera)
    found = inputs.expand(paths)
    if found.skipped:
        LOG.info(inputs.summary(found.skipped))
    files = found.files
    fer = FER(classifier(model, class_order, engine), detector=detector)
    stdin = sys.stdin.buffer.read() if "-" in files else None
    results = []
    from fer_keras.core.progress import bar

    with bar("Reading faces", len(files)) as advance:
        options = {"every": every, "annotate": annotate, "saliency": explain, "advance": advance}
        for result in batches.analyze(fer, files, stdin=stdin, **options):
            results.append(result)
            if result.error:
                click.echo(f"Error: {result.error}", err=True)
    click.echo(FORMS[form](results), nl=False)
    if any(result.error for result in results):
        sys.exit(1 if any(result.answered for result in results) else 2)


def classifier(model, class_order, engine):
    """Return what `FER` takes as its model."""
    from fer_keras.inference import engines

    is_onnx = model is not None and model.endswith(".onnx")
    if is_onnx and engine == "keras":
        raise InputError(
            f"{model} can be served by the engine onnx only. Leave --engine out, or name a .keras file."
        )
    if engine != "onnx" and not is_onnx:
        engines.import_keras_alone()
    classes = parse_classes(class_order)
    if engine == "onnx":
        from fer_keras.recognition.classifiers import onnx_file

        return onnx_file(model, classes=classes)
    if model is None or classes is None:
        return model
    from fer_keras.model_files import saving

    return saving.load(model, classes=classes)


def as_json(results):
    import json

    return json.dumps([result.as_dict() for result in results], indent=2, allow_nan=False) + "\n"


def as_csv(results):
    from fer_keras.recognition import table

    found = {r.path: r.frames if r.frames is not None else r.faces for r in results if r.answered}
    return table(found).to_csv(index=False)


def as_text(results):
    from fer_keras.recognition import tables

    return tables.text(results)


FORMS = {"json": as_json, "csv": as_csv, None: as_text}
