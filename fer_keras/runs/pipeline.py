"""One run from data to record."""

import dataclasses
import logging
import pathlib

from fer_keras import evaluation, models
from fer_keras.backend import device, distribution, machine
from fer_keras.core.errors import InputError
from fer_keras.core.files import remove_leftovers, write_json
from fer_keras.data import deduplicate, leak_free, load, quality_checks, split
from fer_keras.experiment import Experiment
from fer_keras.inference.prediction import probabilities
from fer_keras.model_files import saving
from fer_keras.runs import plots, records
from fer_keras.runs.wandb_tracker import Tracker
from fer_keras.training import checkpoints, dataset, distillation, fitting

log = logging.getLogger("fer_keras")


def run(experiment, *, data=None, output="runs", tracking="auto", precision=None, capture=False):
    """Train and judge `experiment`; go on with it where an earlier try was interrupted, on whichever backend.

    Processes started by `torchrun` train together, see `fer_keras.backend.distribution`; process 0 does all else.

    Args:
        experiment: `Experiment`.
        data: path of FER-2013 in any form, see `fer_keras.data.load`.
        output: folder of all run directories.
        tracking: wandb's mode: `"auto"`, `"online"`, `"offline"` or `"disabled"`.
        precision: Keras' dtype policy, `"float32"` or `"mixed_bfloat16"`; by default that of the interrupted run,
            else what the device does fast.
        capture: replay the training step as a CUDA graph, see `fer_keras.backend.step`; the record says so.

    Returns:
        `(folder, record)`: `Path` of the run directory, and its content as `records.read` gives it; `None` and
        `None` in the processes of `torchrun` but the first.

    Raises:
        InputError: if the experiment, the data or the output folder cannot be used.
    """
    settings = resolved(experiment)
    parts, train, about = _prepared(experiment, data)
    with distribution.joined():
        distribution.agree({"experiment": settings, "data": about["digest"], "teachers": about.get("teachers")})
        dataset.check_parts(experiment, train, parts["validation"])
        alone = distribution.rank() == 0  # to read and write
        folder = records.find_unfinished(output, settings, about, precision) if alone else None
        with device.training_in(distribution.of_first(precision or _precision_of(folder))):
            model = fitting.build(experiment, train)  # refuses wrong settings before anything is written
            taught = distillation.soft_labels(experiment, train)
            if not alone:
                fitting.fit(model, experiment, train, parts["validation"], taught=taught)
                return None, None
            environment = machine.environment() | {"replicas": distribution.replicas()}
            environment |= {"capture": True} if capture else {}
            folder = folder or records.create(output, settings, about, environment)
            log.debug("Run directory: %s", folder, extra={"values": {"data": about}})
            with records.locked(folder):
                if not records.is_complete(folder):  # by another process, after it was found unfinished
                    remove_leftovers(folder)
                    _train_and_judge(
                        model, experiment, train, taught, parts, folder, tracking, environment, capture
                    )
            return folder, records.read(folder)


def refit(run, *, data=None):
    """Train the experiment of a finished run anew on its training and validation images together.

    Its settings were chosen by then, so nothing is scored before the end. Goes on where an earlier try was
    interrupted, and trains nothing where there is a model.

    Args:
        run: a finished run directory; what comes of this is `refit` in it: model, history and `run.json`.
        data: the FER-2013 that the run was trained on, see `fer_keras.data.load`.

    Returns:
        `(model, record)`: the `keras.Model`, and what `records.read` gives of `refit`.

    Raises:
        InputError: if the run is not finished, was of other data, or its schedule needs validation.
    """
    record, faces = finished(run, data)
    experiment = Experiment(**record["experiment"])
    if experiment.schedule == "plateau":
        raise InputError(f"{run} changed its learning rate by validation, which a refit does not have.")
    parts = split(faces, experiment.seed, merged=True)
    used = deduplicate(parts)[0] if experiment.deduplicate else parts
    folder = pathlib.Path(run, "refit")
    folder.mkdir(exist_ok=True)
    with records.locked(folder), device.training_in(_precision_of(run)):
        if not (folder / "model.keras").exists():
            _train_whole(experiment, used, folder, record["data"] | describe(faces, used))
        return saving.load(folder / "model.keras"), records.read(folder)


def _train_whole(experiment, parts, folder, data):
    model, checkpoint = fitting.build(experiment, parts["train"]), folder / "checkpoint.npz"
    epochs_done = checkpoints.epochs_done(checkpoint)
    settings, environment = resolved(experiment), machine.environment() | {"replicas": 1}
    if epochs_done:
        records.note_environment(folder, epochs_done, environment)
    else:
        write_json(folder / "run.json", {"experiment": settings, "data": data, "environment": environment})
    records.truncate_history(folder, epochs_done)
    fitting.fit(
        model,
        experiment,
        parts["train"],
        None,
        taught=distillation.soft_labels(experiment, parts["train"]),
        on_epoch=lambda row: records.append(folder / records.HISTORY, row),
        checkpoint=checkpoint,
    )
    saving.save(saving.publish(model), folder / "model.keras")
    checkpoint.unlink()


def finished(run, data):
    """Return the record of the run directory `run` and the `Faces` that it was trained on.

    Raises:
        InputError: if the run is not finished, or was of other data than `data`.
    """
    record = records.read(run)
    if record["scores"] is None:
        raise InputError(f"{run} is not finished. Run `fer-keras run` on its experiment again.")
    faces = load(data, labels=record["experiment"].get("labels", "original"))
    if faces.digest != record["data"]["digest"]:
        raise InputError(
            f"{run} was trained on data with digest {record['data']['digest'][:12]}, but {faces.source} has "
            f"{faces.digest[:12]}. Name its data with --data."
        )
    return record, faces


def _prepared(experiment, data):
    """Return the splits to judge by, the `Faces` to train on, and what the record tells of them."""
    faces = load(data, labels=experiment.labels)
    parts = split(faces, experiment.seed)
    used, left_out = deduplicate(parts) if experiment.deduplicate else (parts, {})
    for warning in quality_checks(used):
        log.warning(warning)
    about = describe(faces, used)
    if experiment.deduplicate:
        about["left_out"] = left_out
        log.info("Training images left out: %s", ", ".join(f"{n} {why}" for why, n in left_out.items()))
    if experiment.teachers:
        about["teachers"] = distillation.digests(experiment.teachers)
    return parts, used["train"], about


def _precision_of(folder):
    return records.read(folder)["environment"].get("precision") if folder else None


def resolved(experiment):
    """Return every setting of `experiment` as a `dict`, the defaults of its architecture included.

    Raises:
        InputError: if it names a model or a model option that is not there.
    """
    options = models.resolved_options(experiment.model, experiment.model_options)
    return records.plain(dataclasses.asdict(experiment) | {"model_options": options})


def describe(faces, parts):
    """Return what a record tells of its data: where it came from, its content hash, images in each split.

    `run` adds `left_out`, the numbers of training images left out by reason, and `teachers`, the SHA-256 of each
    one's file, where the experiment has them.
    """
    return {
        "source": pathlib.Path(faces.source).name,
        "digest": faces.digest,
        "synthetic": faces.synthetic,
        "images": {name: len(part.labels) for name, part in parts.items()},
    }


def judge(model, parts, part, *, tta="none"):
    """Return the `evaluation.scores` of `model` on one split.

    The leak-free figures leave out images of which an exact copy stands in the splits before it.

    Args:
        model: `keras.Model` or a list of them, see `prediction.probabilities`.
        parts: the splits, as `data.split` returned them.
        part: `"train"`, `"validation"` or `"test"`.
        tta: test-time augmentation, see `prediction.probabilities`.
    """
    names = list(parts)
    seen = [parts[name] for name in names[: names.index(part)]]
    faces = parts[part]
    mask = leak_free(faces, *seen) if seen else None
    return evaluation.scores(faces.labels, probabilities(model, faces.images, tta=tta), mask)


def _train_and_judge(model, experiment, train, taught, parts, folder, mode, environment, capture):
    checkpoint = folder / "checkpoint.npz"
    epochs_done = checkpoints.epochs_done(checkpoint)
    records.truncate_history(folder, epochs_done)
    if changes := records.note_environment(folder, epochs_done, environment):
        log.info("%s goes on after epoch %d with other %s.", folder, epochs_done, ", ".join(changes))
    record = records.read(folder)
    config = {key: record[key] for key in ("experiment", "data", "environment")}
    project = "fer-keras-synthetic" if record["data"]["synthetic"] else "fer-keras"
    with Tracker(mode, folder, project=project, name=experiment.name, config=config) as tracker:
        overfit = record["overfit"]
        if overfit is None:
            overfit = evaluation.overfit_verdict(fitting.overfit_losses(experiment, train))
            records.write(folder, "overfit", overfit)
        log.info("Overfit check: %s", overfit["text"])

        def on_epoch(row):
            records.append(folder / records.HISTORY, row)
            tracker.log_epoch(row)

        def on_histograms(epoch, histograms):
            records.append(folder / records.HISTOGRAMS, {"epoch": epoch, **histograms})
            tracker.log_histograms(epoch, histograms)

        fitting.fit(
            model,
            experiment,
            train,
            parts["validation"],
            taught=taught,
            on_epoch=on_epoch,
            on_histograms=on_histograms,
            checkpoint=checkpoint,
            capture=capture,
        )
        published = saving.publish(model)
        saving.save(published, folder / "model.keras")
        scores = judge(published, parts, "test")  # leak-free by those left out too: the same images in every run
        record = records.read(folder) | {"scores": scores}
        tracker.log_results(record, plots.draw(record, folder))
        records.write(folder, "scores", scores)
    checkpoint.unlink()
