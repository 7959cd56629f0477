"""The command that reads faces in photographs, videos and a camera's picture."""

import logging
import os
import pathlib
import sys
from typing import Any

import click

from fer_keras.cli.options import fer_options, max_pixels_option, open_fer
from fer_keras.core import logs
from fer_keras.core.errors import InputError
from fer_keras.core.files import printable

LOG = logging.getLogger("fer_keras")
# OpenCV and FFmpeg write the faults of a video to standard error; `videos` reports them.
SILENCE = {"OPENCV_FFMPEG_LOGLEVEL": "-8", "OPENCV_LOG_LEVEL": "SILENT"}
folder = click.Path(path_type=pathlib.Path, file_okay=False)


@click.command()
@click.argument("paths", nargs=-1)
@fer_options
@max_pixels_option(1 << 26)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV instead of a table, one row for each face.")
@click.option(
    "--annotate", type=folder, metavar="DIR", help="Draw boxes, labels and bars; for videos also a timeline."
)
@click.option(
    "--saliency",
    type=folder,
    metavar="DIR",
    help="Draw the occlusion sensitivity of each face of a photograph: how much each place matters.",
)
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
def predict(
    paths: tuple[str, ...],
    as_json: bool,
    as_csv: bool,
    annotate: pathlib.Path | None,
    saliency: pathlib.Path | None,
    every: float,
    camera: str | None,
    **fer_settings: Any,
) -> None:
    """Name the expressions of the faces in PATHS: pictures, videos, folders, patterns, - for standard input.

    Ends with 1 if some of the files could not be read, or not to their end; with 2 if none could.

    \b
    fer-keras predict portrait.png
    fer-keras predict photos/ clip.mp4 --csv --annotate drawn/ > faces.csv
    fer-keras predict --camera
    """
    if bool(paths) == (camera is not None):
        raise InputError("Name pictures, videos or folders, or give --camera, and not both.")
    if as_json and as_csv:
        raise InputError("Give --json or --csv, not both.")
    os.environ |= SILENCE | os.environ
    from fer_keras.recognition import batches, inputs, tables

    if camera is not None:
        from fer_keras.recognition import camera as cameras

        cameras.show(open_fer(**fer_settings), camera)
        return
    found = inputs.expand(paths)
    if found.skipped:
        LOG.info(inputs.summary(found.skipped))
    fer = open_fer(**fer_settings)
    stdin = sys.stdin.buffer.read() if "-" in found.files else b""
    results = []
    from fer_keras.core.progress import bar

    with bar("Reading faces", len(found.files)) as advance:
        options: dict[str, Any] = {"every": every, "annotate": annotate, "saliency": saliency, "advance": advance}
        for result in batches.analyze(fer, found.files, stdin=stdin, **options):
            results.append(result)
            if result.error:
                show_error(result.error)
    if as_json:
        text = batches.as_json(results)
    else:
        text = tables.as_csv(results, fer.class_names) if as_csv else tables.as_text(results)
    click.echo(text, nl=False)
    if any(result.error for result in results):
        sys.exit(1 if any(result.answered for result in results) else 2)


def show_error(message: str) -> None:
    if logs.as_json():
        LOG.error(message)
    else:
        click.echo(f"Error: {printable(message)}", err=True)
