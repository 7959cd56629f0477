"""One run from data to record."""

import logging
import pathlib
from typing import Any

import keras

from fer_keras import evaluation, models
from fer_keras.backend import device, distribution, machine, step
from fer_keras.core.errors import InputError
from fer_keras.core.files import StrPath, plain, remove_leftovers, write_json
from fer_keras.data import EMOTIONS, Faces, FaceSet, deduplicate, load, quality_checks, split
from fer_keras.experiment import Experiment
from fer_keras.model_files import saving
from fer_keras.runs import plots, records
from fer_keras.runs.wandb_tracker import Tracker
from fer_keras.training import checkpoints, distillation, fitting
from fer_keras.training.dataset import Batches

log = logging.getLogger("fer_keras")


def run(
    experiment: Experiment,
    *,
    data: StrPath | FaceSet | Faces | None = None,
    output: StrPath = "runs",
    tracking: str = "auto",
    precision: str | None = None,
    capture: bool = False,
) -> tuple[pathlib.Path, dict[str, Any]] | tuple[None, None]:
    """Train and evaluate `experiment`, or continue an interrupted training of it, on any backend.

    Processes started by `torchrun` train together, see `fer_keras.backend.distribution`. Process 0 does all the
    rest.

    Args:
        experiment: the settings.
        data: what `fer_keras.data.load` takes, or the `Faces` that it returned.
        output: folder of all run directories.
        tracking: wandb's mode: `"auto"`, `"online"`, `"offline"` or `"disabled"`.
        precision: Keras' dtype policy, `"float32"` or `"mixed_bfloat16"`; default: that of the interrupted run,
            else the fast one of the device.
        capture: replay the training step as a CUDA graph, see `fer_keras.backend.step`; this is recorded.

    Returns:
        `(folder, record)`: the run directory, and its content as `records.read` returns it; `(None, None)` in all
        processes of `torchrun` but the first.

    Raises:
        InputError: if the experiment, the data or the output folder cannot be used.
    """
    settings = models.resolved(experiment)
    parts, train, about = _prepared(experiment, data)
    batches = Batches(train, experiment)
    with distribution.joined():
        distribution.agree({"experiment": settings, "data": about["digest"], "teachers": about.get("teachers")})
        batches.check_processes(parts["validation"])
        first = distribution.rank() == 0  # only this process reads and writes run directories
        folder = records.find_unfinished(output, settings, about, precision) if first else None
        with device.training_in(distribution.of_first(precision or _precision_of(folder))):
            # Invalid settings raise here, before anything is written.
            model = fitting.build(experiment, train)
            batches.soft_targets = distillation.soft_targets(batches)
            if not first:
                fitting.fit(model, experiment, batches, parts["validation"])
                return None, None
            environment = machine.environment() | {"replicas": distribution.replicas()}
            if capture and step.obstacle(sam=experiment.sam) is None:
                environment["capture"] = True
            folder = folder or records.create(output, settings, about, environment)
            log.debug("Run directory: %s", folder, extra={"values": {"data": about}})
            with records.locked(folder):
                if not records.is_complete(folder):  # another process may have finished it meanwhile
                    remove_leftovers(folder)
                    records.note_environment(folder, _epochs_done(folder), environment)
                    with _tracker(tracking, folder) as tracker:
                        _check_overfit(folder, experiment, train)
                        model = _train(model, experiment, batches, parts["validation"], folder, tracker, capture)
                        _evaluate(model, parts, folder, tracker)
                    _checkpoint(folder).unlink()
            return folder, records.read(folder)


def refit(run: StrPath, *, data: StrPath | FaceSet | None = None) -> tuple[keras.Model, dict[str, Any]]:
    """Train the experiment of a finished run again, on its training images and half of its validation images.

    Its settings are final, so nothing is scored during training. The other half is used for calibration, see
    `fer_keras.data.split(merged=True)`. An interrupted refit continues, a finished one is returned.

    Args:
        run: a finished run directory, or its record, a file as in `experiments/results`. The refit, with model,
            history and `run.json`, is written to the folder `refit` of the run, or to `runs/refit/NAME-SEED`.
        data: the FER-2013 that the run was trained on, see `fer_keras.data.load`.

    Returns:
        `(model, record)`: the model, and the content of its folder as `records.read` returns it.

    Raises:
        InputError: if the run is not finished or was trained on other data, its schedule needs validation, or an
            existing refit is of another experiment or other images.
    """
    record, faces = finished(run, data)
    experiment = Experiment(**record["experiment"])
    if experiment.schedule == "plateau":
        raise InputError(f"{run} changed its learning rate by validation, which a refit does not have.")
    parts = split(faces, experiment.seed, merged=True)
    used, left_out = deduplicate(parts) if experiment.deduplicate else (parts, {})
    copies = int((faces.labels >= 0).sum()) - sum(map(len, parts.values()))
    own = pathlib.Path(run, "refit")
    folder = own if own.parent.is_dir() else pathlib.Path("runs/refit", f"{experiment.name}-{experiment.seed}")
    folder.mkdir(parents=True, exist_ok=True)
    about = record["data"] | evaluation.describe_data(faces, used)
    about["left_out"] = left_out | ({"copies in calibration": copies} if copies else {})
    with records.locked(folder), device.training_in(_precision_of(run)):
        if (folder / "run.json").exists():
            there = records.read(folder)
            same = plain(there["experiment"]) == plain(models.resolved(experiment))
            if there["data"]["images"] != about["images"] or not same:
                raise InputError(f"{folder} is of another experiment, version or of other images. Remove it.")
        if not (folder / "model.keras").exists():
            model, batches = fitting.build(experiment, used["train"]), Batches(used["train"], experiment)
            batches.soft_targets = distillation.soft_targets(batches)
            _begin_refit(folder, experiment, about)
            _train(model, experiment, batches, None, folder, Tracker.off())
            _checkpoint(folder).unlink()
        return saving.load(folder / "model.keras", trusted=True), records.read(folder)


def finished(run: StrPath, data: StrPath | FaceSet | None) -> tuple[dict[str, Any], Faces]:
    """Return the record of `run`, a run directory or a record, and the data that it was trained on.

    Raises:
        InputError: if the run is not finished, or was trained on other data than `data`.
    """
    record = records.read(run)
    if record.get("scores") is None:
        raise InputError(f"{run} is not finished. Run `fer-keras run` on its experiment again.")
    names = tuple(record["data"].get("class_names", EMOTIONS))
    classes = None if names == EMOTIONS else names
    faces = load(data, labels=record["experiment"].get("labels", "original"), classes=classes)
    if faces.digest != record["data"]["digest"]:
        raise InputError(
            f"{run} was trained on data with digest {record['data']['digest'][:12]}, but {faces.source} has "
            f"{faces.digest[:12]}. Name its data with --data."
        )
    return record, faces


def _prepared(
    experiment: Experiment, data: StrPath | FaceSet | Faces | None
) -> tuple[dict[str, Faces], Faces, dict[str, Any]]:
    """Return the splits to evaluate on, the images to train on, and the record's description of them."""
    faces = data if isinstance(data, Faces) else load(data, labels=experiment.labels)
    parts = split(faces, experiment.seed)
    used, left_out = deduplicate(parts) if experiment.deduplicate else (parts, {})
    for warning in quality_checks(used):
        log.warning(warning)
    about = evaluation.describe_data(faces, used)
    if experiment.deduplicate:
        about["left_out"] = left_out
        log.info("Training images left out: %s", ", ".join(f"{n} {why}" for why, n in left_out.items()))
    if experiment.teachers:
        about["teachers"] = distillation.digests(experiment.teachers)
    return parts, used["train"], about


def _train(
    model: keras.Model,
    experiment: Experiment,
    batches: Batches,
    validation: Faces | None,
    folder: pathlib.Path,
    tracker: Tracker,
    capture: bool = False,
) -> keras.Model:
    """Train in a run directory, starting from its checkpoint, and return the model saved there.

    The caller removes the checkpoint after writing the last file of the run.
    """
    records.truncate_history(folder, _epochs_done(folder))

    def on_epoch(row: dict[str, Any]) -> None:
        records.append(folder / records.HISTORY, row)
        tracker.log_epoch(row)

    def on_histograms(epoch: int, histograms: dict[str, Any]) -> None:
        records.append(folder / records.HISTOGRAMS, {"epoch": epoch, **histograms})
        tracker.log_histograms(epoch, histograms)

    fitting.fit(
        model,
        experiment,
        batches,
        validation,
        on_epoch=on_epoch,
        on_histograms=on_histograms if validation is not None else None,
        checkpoint=_checkpoint(folder),
        capture=capture,
    )
    names = batches.train.class_names
    published = saving.named(saving.publish(model), names)
    saving.save(published, folder / "model.keras", names)
    return published


def _begin_refit(folder: pathlib.Path, experiment: Experiment, data: dict[str, Any]) -> None:
    environment = machine.environment() | {"replicas": 1}
    if epochs_done := _epochs_done(folder):
        records.note_environment(folder, epochs_done, environment)
    else:
        settings = models.resolved(experiment)
        write_json(folder / "run.json", {"experiment": settings, "data": data, "environment": environment})


def _tracker(mode: str, folder: pathlib.Path) -> Tracker:
    record = records.read(folder)
    config = {key: record[key] for key in ("experiment", "data", "environment")}
    project = "fer-keras-synthetic" if record["data"]["synthetic"] else "fer-keras"
    return Tracker(mode, folder, project=project, name=record["experiment"]["name"], config=config)


def _check_overfit(folder: pathlib.Path, experiment: Experiment, train: Faces) -> None:
    overfit = records.read(folder)["overfit"]
    if overfit is None:
        overfit = evaluation.overfit_verdict(fitting.overfit_losses(experiment, train), len(train.class_names))
        records.write(folder, "overfit", overfit)
    log.info("Overfit check: %s", overfit["text"])


def _evaluate(model: keras.Model, parts: dict[str, Faces], folder: pathlib.Path, tracker: Tracker) -> None:
    """Score the test split and complete the record.

    Images removed by deduplication count as training images, so that leak-free figures of all runs cover the same
    images.
    """
    scores = evaluation.evaluate_split(model, parts, "test")
    record = records.read(folder) | {"scores": scores}
    tracker.log_results(record, plots.draw(record, folder))
    tracker.log_mistakes(parts["test"].images, scores["mistakes"], parts["test"].class_names)
    tracker.log_artifacts(record, folder / "model.keras")
    records.write(folder, "scores", scores)


def _precision_of(folder: StrPath | None) -> str | None:
    return records.read(folder)["environment"].get("precision") if folder else None


def _checkpoint(folder: pathlib.Path) -> pathlib.Path:
    return folder / "checkpoint.npz"


def _epochs_done(folder: pathlib.Path) -> int:
    epochs = checkpoints.epochs_done(_checkpoint(folder))
    if epochs > (recorded := len(records.rows(folder / records.HISTORY))):
        raise InputError(
            f"{folder} is damaged: its checkpoint is of epoch {epochs}, its history has {recorded} epochs. "
            "Delete the run and train it again."
        )
    return epochs
