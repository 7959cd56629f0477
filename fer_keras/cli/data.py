"""Commands for data sets."""

import pathlib
from typing import TYPE_CHECKING

import click

from fer_keras.cli.options import data_options

if TYPE_CHECKING:
    from fer_keras.data import FaceSet


@click.group()
def data() -> None:
    """Download FER-2013, and audit a face set."""


@data.command()
def fetch() -> None:
    """Download FER-2013 from Kaggle with your own login, to the place where all commands look for it.

    \b
    pip install fer-keras[fetch] && fer-keras data fetch
    """
    from fer_keras.data import fetch

    click.echo(f"fetched: {fetch()}")


@data.command()
@data_options
@click.option("--votes", type=click.Path(path_type=pathlib.Path), help="FER+ votes, fer2013new.csv.")
@click.option(
    "--output", type=click.Path(path_type=pathlib.Path), default=".", help="Folder of the JSON and the picture."
)
def audit(data: "FaceSet", votes: pathlib.Path | None, output: pathlib.Path) -> None:
    """Count classes, duplicates, conflicting labels, blank images, skipped files and disagreement with FER+.

    \b
    fer-keras data audit --data fer2013.csv --votes fer2013new.csv
    """
    from fer_keras import data as faces_data
    from fer_keras.core.files import write_json

    faces = faces_data.load(data, votes=votes)
    report = faces_data.audit(faces)
    write_json(output / "audit.json", report)
    faces_data.audit_picture(report, faces, output / "audit.png")
    click.echo(faces_data.audit_text(report))
    click.echo(f"written: {output / 'audit.json'}, {output / 'audit.png'}")
