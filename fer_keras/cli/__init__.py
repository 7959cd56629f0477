"""The command line. Commands parse, call the library and print; what is slow to import is imported in them."""

import errno
import logging
import os

import click

from fer_keras import __version__
from fer_keras.backend import selection
from fer_keras.cli import data, doctor, evaluate, experiments, export, predict, serve, study
from fer_keras.core import logs
from fer_keras.core.errors import InputError

USERS_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS}
LOG = logging.getLogger("fer_keras")


class Failure(click.ClickException):
    """What the user gave cannot be used: one line, exit code 2."""

    exit_code = 2

    def show(self, file=None):
        if logs.as_json():
            LOG.error(self.message)
        else:
            super().show(file)


class Commands(click.Group):
    """Turns the errors a user can mend into messages; every other one keeps its traceback."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except InputError as error:
            raise Failure(str(error)) from error
        except OSError as error:
            if error.errno not in USERS_ERRORS:
                raise
            raise Failure(str(error)) from error
        except (ImportError, ValueError) as error:
            if fault := selection.fault():  # over which Keras stumbled when it was imported
                raise Failure(fault) from error
            raise


@click.group(cls=Commands)
@click.version_option(__version__)
@click.option("--quiet", "level", flag_value=logging.WARNING, type=int, help="Tell of warnings only; no progress.")
@click.option("--verbose", "level", flag_value=logging.DEBUG, type=int, help="Tell of each file and step too.")
@click.option("--log-json", is_flag=True, help="Tell it as JSON, one object a line, on standard error.")
def cli(level, log_json):
    """Study, train and judge facial-expression classifiers on FER-2013.

    \b
    fer-keras run experiments/cnn_best.py    train and judge one experiment
    fer-keras evaluate MODEL                 judge a Keras model
    fer-keras predict portrait.png           name the expressions of the faces
    fer-keras data audit                     show what is wrong with the data
    """
    speaks = os.environ.get("RANK", "0") == "0"  # of the processes that torchrun starts
    logs.start((level or logging.INFO) if speaks else logging.ERROR, as_json=log_json)


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell):
    """Print the script that completes commands and options in SHELL.

    \b
    source <(fer-keras completion bash)
    """
    from click.shell_completion import get_completion_class

    click.echo(get_completion_class(shell)(cli, {}, "fer-keras", "_FER_KERAS_COMPLETE").source())


for command in (
    experiments.run,
    experiments.list_,
    experiments.show,
    experiments.overfit,
    evaluate.evaluate,
    evaluate.release,
    export.export,
    predict.predict,
    serve.serve,
    study.study,
    study.sweep,
    study.report,
    data.data,
    doctor.doctor,
):
    cli.add_command(command)
