"""Logs the training to Weights & Biases under the study's names."""

import functools
import json
import logging
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal

import numpy as np

from fer_keras.core.errors import one_line
from fer_keras.core.files import StrPath, write_json
from fer_keras.data import EMOTIONS
from fer_keras.training.callbacks import histogram_edges

LOGGER = logging.getLogger("fer_keras")

INIT_SECONDS = 15  # after which an online start falls back to offline
FINISH_SECONDS = 120  # after which the rest of an upload stays on disk, for `wandb sync`
EPOCH_METRICS = (
    *(
        "train_loss",
        "train_acc",
        "val_loss",
        "val_acc",
        "weight_norm",
        "grad_ratio",
        "epoch_time",
        "learning_rate",
    ),
    *("weight_norm/*", "grad_ratio/*", "gradients/*", "parameters/*"),
)
_directories: dict[str, str] = {}  # environment variables set by this module for an earlier run


def _spared(method: Callable[..., None]) -> Callable[..., None]:
    """Keep errors of wandb out of the training: log the first one and stop tracking."""

    @functools.wraps(method)
    def call(self: "Tracker", *args: Any) -> None:
        if self.run is None:
            return
        try:
            method(self, *args)
        except Exception as error:
            self.run = None
            LOGGER.warning("wandb failed and is now off; the record on disk continues. %s", _reason(error))

    return call


class Tracker:
    """One wandb run. After any error of wandb, and in mode "disabled", it does nothing.

    wandb's own environment variables have priority: WANDB_PROJECT, WANDB_NAME, WANDB_RUN_GROUP, WANDB_DIR,
    WANDB_ENTITY, WANDB_TAGS, WANDB_NOTES and the others that `wandb.init` reads. Only "online", and "auto" with a
    login, use the network. The first line of the log says where the run is logged, and why.

    Args:
        mode: "online", "offline" (files only, for `wandb sync`), "disabled", or "auto": the environment variable
            WANDB_MODE, else online. Online falls back to offline if the user is not logged in or the server does
            not respond. There is never a prompt.
        folder: run directory; all wandb files go to `folder/wandb`. If it contains the wandb run of an interrupted
            training, the new run names it in `config.resumed_from`, since wandb cannot resume offline runs.
        project: wandb project.
        name: run name; runs of the same name form a group.
        config: `dict` such as `experiment`, `data` and `environment`.

    Attributes:
        run: the `wandb.Run`, or `None`.
    """

    def __init__(self, mode: str, folder: StrPath, *, project: str, name: str, config: dict[str, Any]) -> None:
        self.run: Any = None
        reason = f"--wandb {mode}"
        if mode == "auto":
            chosen = os.environ.get("WANDB_MODE")
            mode, reason = (chosen, f"WANDB_MODE is {chosen}") if chosen else ("auto", "you are logged in")
        folder = pathlib.Path(folder).resolve()
        try:
            if mode != "disabled":
                self.run, reason = _start(mode, reason, folder, config, {"project": project, "name": name})
        except Exception as error:
            reason = f"it cannot start: {one_line(error)}"
            LOGGER.warning("wandb cannot start and is off; the record on disk continues. %s", _reason(error))
        LOGGER.info("Logging to %s. %s", folder, _place(self.run, reason))

    @classmethod
    def off(cls) -> "Tracker":
        """Return a tracker that does nothing."""
        tracker = cls.__new__(cls)
        tracker.run = None
        return tracker

    def __enter__(self) -> "Tracker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self.alert(one_line(error))
        self.finish(0 if kind is None else 1)

    @_spared
    def log_epoch(self, row: Mapping[str, Any]) -> None:
        """Log an epoch's `dict` of the history: `epoch`, `train_loss`, …, `grad_ratio/<layer>`."""
        self.run.log({key: value for key, value in row.items() if value is not None})

    @_spared
    def log_histograms(self, epoch: int, histograms: Mapping[str, Mapping[str, Any]]) -> None:
        """Log {"gradients" or "parameters": {layer: what `callbacks.histogram` returns}} of an epoch."""
        import wandb

        values = {
            f"{kind}/{layer}": wandb.Histogram(np_histogram=(item["counts"], _edges(item)))
            for kind, layers in histograms.items()
            for layer, item in layers.items()
        }
        self.run.log({"epoch": epoch} | values)

    @_spared
    def log_results(self, record: dict[str, Any], pictures: Mapping[str, pathlib.Path]) -> None:
        """Log the test scores, the charts and the pictures of a finished training.

        Args:
            record: `dict` as `fer_keras.runs.records.read` returns it.
            pictures: {name: path} as `fer_keras.runs.plots.draw` returns it.

        A chart and a picture may have the same name: wandb stores the chart's table under another key and renders
            it
        only after syncing, so that an offline run still shows a picture.
        """
        import wandb

        scores, history = record["scores"], record["history"]
        results = {"loss": scores["loss"], "accuracy": scores["accuracy"]}
        further = {key: value for key, value in scores.items() if key not in results}
        results |= {f"test/{key}": value for key, value in further.items() if isinstance(value, int | float)}
        if record["overfit"]:
            results["overfit_verdict"] = record["overfit"]["verdict"]
        self.run.log(results)
        self.run.log(
            {
                "Loss Progress": _lines("Loss Progress", history, ["train_loss", "val_loss"]),
                "Accuracy Progress": _lines("Accuracy Progress", history, ["train_acc", "val_acc"]),
                "Gradient-to-Weight Ratio over time": _lines(
                    "Gradient-to-Weight Ratio over time (%)",
                    history,
                    [key for key in history[0] if key.startswith("grad_ratio")],
                ),
                "Confusion Matrix Curve": _confusion(
                    scores["confusion"], record["data"].get("class_names", EMOTIONS)
                ),
            }
        )
        self.run.log({name: wandb.Image(str(path)) for name, path in pictures.items()})

    @_spared
    def log_mistakes(
        self, images: np.ndarray, mistakes: Sequence[Mapping[str, Any]], class_names: Sequence[str]
    ) -> None:
        """Log a table of the most confident wrong predictions, with their images.

        Args:
            images: (n, 48, 48, 1) uint8, of the test split.
            mistakes: as in the scores of `fer_keras.evaluation.scores`.
            class_names: of the data.
        """
        import wandb

        rows = [
            [
                wandb.Image(np.asarray(images[row["image"]])[..., 0]),
                row["image"],
                class_names[row["label"]],
                class_names[row["predicted"]],
                row["probability"],
            ]
            for row in mistakes
        ]
        columns: list[str | int] = ["face", "image", "label", "predicted", "probability"]
        self.run.log({"Worst mistakes": wandb.Table(columns=columns, data=rows)})

    @_spared
    def log_artifacts(self, record: Mapping[str, Any], model: StrPath) -> None:
        """Log two artifacts: the model file with its scores, and the digest and counts of the data set, no images.

        Args:
            record: `dict` as `fer_keras.runs.records.read` returns it.
            model: path of the `.keras` file.
        """
        import wandb

        about, scores = record["data"], record["scores"]
        data = wandb.Artifact(f"data-{about['digest'][:12]}", type="dataset", metadata=about)
        with data.new_file("data.json") as file:
            json.dump(about, file, indent=1)
        link = (
            self.run.log_artifact if self.run.offline else self.run.use_artifact
        )  # offline, wandb has no input artifacts
        link(data)
        figures = {key: value for key, value in scores.items() if isinstance(value, int | float)}
        trained = wandb.Artifact(
            record["experiment"]["name"],
            type="model",
            metadata={"test": figures, "experiment": record["experiment"]},
        )
        trained.add_file(str(model), policy="immutable")  # no second copy on the disk
        self.run.log_artifact(trained)

    @_spared
    def alert(self, text: str) -> None:
        """Alert the user that the training stopped, by e-mail or Slack as configured in wandb."""
        self.run.alert("Training stopped", text, level="ERROR")

    @_spared
    def finish(self, exit_code: int = 0) -> None:
        """End the run; online, wait at most two minutes for its upload."""
        self.run.finish(exit_code=exit_code)
        self.run = None


def _place(run: Any, reason: str) -> str:
    if run is None:
        return f"wandb is off: {reason}."
    if run.offline:
        return f"wandb is offline: {reason}; `wandb sync {run.settings.sync_dir}` uploads this run."
    return f"wandb is online: {reason}; {run.url}"


def _start(
    mode: str, reason: str, folder: pathlib.Path, config: dict[str, Any], names: dict[str, str]
) -> tuple[Any, str]:
    """Return the wandb run, and why it is online or offline."""
    for variable in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR"):
        # wandb would copy tables to the home directory, which may be read-only or small.
        place = str(folder / "wandb" / variable.split("_")[1].lower())
        if os.environ.get(variable) in (None, "", _directories.get(variable)):  # not chosen by the user
            os.environ[variable] = _directories[variable] = place
    import wandb

    earlier = folder / "wandb.json"
    if earlier.exists():
        config = config | {"resumed_from": json.loads(earlier.read_text())["id"]}
    run = None
    if mode in ("auto", "online"):
        run, reason = _online(reason, folder, config=config, **names)
        if run is None:
            LOGGER.log(logging.WARNING if mode == "online" else logging.DEBUG, "wandb goes offline: %s.", reason)
    if run is None:
        wandb.setup(wandb.Settings(mode="offline", silent=True))  # before `init`, which would contact the server
        run = _init("offline", folder, config=config, **names)
    write_json(earlier, {"id": run.id, "offline": run.offline})
    return run, reason


def _online(reason: str, folder: pathlib.Path, **arguments: Any) -> tuple[Any, str]:
    """Return an online run and `reason`, or `None` and why there is none."""
    import wandb

    wandb.setup(wandb.Settings(mode="online", silent=True))  # silent: raises instead of prompting for an account
    try:
        if wandb.login(prompt=False, verify=False):
            return _init("online", folder, **arguments), reason
    except wandb.Error as error:
        return None, _reason(error)
    return None, "you are not logged in (`wandb login`)"


def _init(mode: Literal["online", "offline"], folder: pathlib.Path, **arguments: Any) -> Any:
    import wandb

    settings = wandb.Settings(
        console="off",
        disable_code=True,
        disable_git=True,  # the config's environment contains the commit
        finish_timeout=FINISH_SECONDS,
        host="",  # run directories may be shared, so they contain no names of machines and users
        init_timeout=INIT_SECONDS,
        reinit="create_new",
        silent=True,
        username="",
    )
    variables = {"project": "WANDB_PROJECT", "name": "WANDB_NAME", "group": "WANDB_RUN_GROUP", "dir": "WANDB_DIR"}
    chosen = {key: os.environ[name] for key, name in variables.items() if os.environ.get(name)}
    defaults = {"group": arguments["name"], "dir": folder}
    run = wandb.init(mode=mode, settings=settings, **(defaults | arguments | chosen))
    run.define_metric("epoch")
    for metric in EPOCH_METRICS:
        run.define_metric(metric, step_metric="epoch")
    return run


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {one_line(error)}"


def _edges(histogram: Mapping[str, Any]) -> np.ndarray:
    return histogram_edges(histogram["scale"], histogram["limit"], len(histogram["counts"]))


def _lines(title: str, history: list[dict[str, Any]], keys: list[str]) -> Any:
    import wandb

    epochs = [row["epoch"] for row in history]
    columns = [[row.get(key) for row in history] for key in keys]
    return wandb.plot.line_series(epochs, columns, keys=keys, title=title, xname="epoch", split_table=True)


def _confusion(counts: list[list[int]], class_names: Sequence[str]) -> Any:
    import wandb

    columns: list[str | int] = ["Actual", "Predicted", "nPredictions"]
    cells = [
        [class_names[true], class_names[predicted], count]
        for true, row in enumerate(counts)
        for predicted, count in enumerate(row)
    ]
    return wandb.plot_table(
        "wandb/confusion_matrix/v1",
        wandb.Table(columns=columns, data=cells),
        {str(column): str(column) for column in columns},
        {"title": "Confusion Matrix Curve"},
        split_table=True,
    )
