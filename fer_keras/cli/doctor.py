"""The command that checks the machine."""

import pathlib
import sys

import click

from fer_keras.cli.options import output_option


@click.command()
@output_option
def doctor(output: pathlib.Path) -> None:
    """Show what is installed and found on this machine, and what to do about problems; they give exit code 1.

    \b
    fer-keras doctor
    KERAS_BACKEND=jax fer-keras doctor
    """
    from fer_keras.runs.doctor import findings

    found = findings(output)
    for finding in found:
        click.echo(f"{finding.level:6}{finding.subject:11}{finding.text}")
    sys.exit(int(any(finding.level == "wrong" for finding in found)))
