"""The command line. Commands parse, call the library and print; slow imports are inside the commands."""

import errno
import io
import logging
import os
import sys
from typing import IO, Any

import click

from fer_keras import __version__
from fer_keras.backend import selection
from fer_keras.cli import data, doctor, evaluate, experiments, export, finetune, predict, serve, study
from fer_keras.cli.options import INTERRUPTED
from fer_keras.core import logs
from fer_keras.core.errors import InputError
from fer_keras.core.files import printable
from fer_keras.core.renames import OPTIONS
from fer_keras.experiment import ABBREVIATIONS, Experiment

USERS_ERRORS = {  # of the disk and of the user's paths
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP),
}
OTHER_WORDS = {  # what users type for a command
    **dict.fromkeys(("train", "training", "fit", "start"), "run"),
    **dict.fromkeys(("test", "eval", "score", "validate"), "evaluate"),
    **dict.fromkeys(("detect", "recognize", "analyze", "classify", "photo", "video"), "predict"),
    **dict.fromkeys(("camera", "webcam"), "predict --camera"),
    **dict.fromkeys(("fine-tune", "transfer"), "finetune"),
    **dict.fromkeys(("download", "fetch"), "data fetch"),
    "audit": "data audit",
    **dict.fromkeys(("server", "web", "api"), "serve"),
    **dict.fromkeys(("tune", "search", "optimize"), "sweep"),
    **dict.fromkeys(("convert", "onnx"), "export"),
    **dict.fromkeys(("check", "info"), "doctor"),
}
COMPUTING = ("run", "overfit", "evaluate", "finetune", "predict")  # they reuse freed memory immediately
LOG = logging.getLogger("fer_keras")


class Failure(click.ClickException):
    """An error that the user can fix: one line, exit code 2."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        if logs.as_json():
            LOG.error(self.message)
        else:
            click.echo("Error: " + "\n".join(map(printable, self.message.splitlines())), err=True)


class Commands(click.Group):
    """The commands, with messages for errors that a user can fix; other errors keep their traceback.

    With `--log-json`, every error is a line of JSON, including those of click and tracebacks.
    """

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] in OTHER_WORDS and not ctx.resilient_parsing:
            raise click.UsageError(f"No such command {args[0]!r}. Did you mean {OTHER_WORDS[args[0]]!r}?", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        if not ctx.params["log_json"]:
            return self._invoke(ctx)
        logs.start(as_json=True)  # before click parses the command's arguments
        try:
            return self._invoke(ctx)
        except (click.exceptions.Exit, Failure):
            raise
        except click.ClickException as error:
            raise Failure(error.format_message()) from error
        except (click.Abort, KeyboardInterrupt):
            LOG.error("Interrupted.")
            sys.exit(INTERRUPTED)
        except Exception:
            LOG.exception("Unexpected error")
            sys.exit(1)

    def _invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.NoSuchOption as error:
            if hint := _other_option(error):
                raise Failure(hint) from error
            raise
        except InputError as error:
            raise Failure(str(error)) from error
        except OSError as error:
            if error.errno not in USERS_ERRORS:
                raise
            raise Failure(str(error)) from error
        except (ImportError, ValueError) as error:
            if fault := selection.fault():  # the reason why Keras cannot be imported
                raise Failure(fault) from error
            raise


def _other_option(error: click.NoSuchOption) -> str | None:
    """Return the replacement of an option of an earlier version, or of an option that is a setting of `run`."""
    name = error.option_name
    if name in OPTIONS:
        return f"{name} is now {OPTIONS[name]}."
    word = name.lstrip("-").replace("-", "_")
    setting = ABBREVIATIONS.get(word, word)
    if error.ctx is not None and error.ctx.command.name == "predict" and not name.startswith("--"):
        return f"No such option {name!r}. Give a file whose name begins with - as ./-NAME."
    if error.ctx is None or error.ctx.command.name != "run" or setting not in Experiment.__dataclass_fields__:
        return None
    return f"No such option {name!r}. Give settings of the experiment after its file: {setting}=VALUE."


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@click.option("--quiet", "level", flag_value=logging.WARNING, type=int, help="Show warnings only; no progress.")
@click.option("--verbose", "level", flag_value=logging.DEBUG, type=int, help="Show each file and step too.")
@click.option(
    "--log-json", is_flag=True, help="Write events and errors as JSON, one object per line, to standard error."
)
def cli(level: int | None, log_json: bool) -> None:
    """Study, train and evaluate facial-expression classifiers on FER-2013.

    \b
    fer-keras run experiments/cnn_best.py    train and evaluate one experiment
    fer-keras evaluate MODEL                 evaluate a Keras model
    fer-keras predict portrait.png           name the expressions of the faces
    fer-keras data audit                     show what is wrong with the data
    """
    from fer_keras.core import jobs

    jobs.follow_parent()
    shows = os.environ.get("RANK", "0") == "0"  # of the processes that torchrun starts
    logs.start((level or logging.INFO) if shows else logging.ERROR, as_json=log_json)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(
            errors="backslashreplace"
        )  # file names may contain characters that the terminal cannot show
    if click.get_current_context().invoked_subcommand in COMPUTING:
        from fer_keras.backend import allocator

        allocator.keep_freed()


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes commands and options in SHELL.

    \b
    source <(fer-keras completion bash)
    """
    from click.shell_completion import get_completion_class

    complete = get_completion_class(shell)
    assert complete is not None, "click knows each of the choices"
    click.echo(complete(cli, {}, "fer-keras", "_FER_KERAS_COMPLETE").source())


for command in (
    experiments.run,
    experiments.list_,
    experiments.show,
    experiments.overfit,
    evaluate.evaluate,
    evaluate.release,
    finetune.finetune,
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
