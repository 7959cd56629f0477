"""Old names of options, settings, record fields, modules and functions, each with its new one.

User input under an old name ends in an error that gives the new name. Files that an earlier version wrote are
read through the same tables.
"""

import sys
from typing import Any

OPTIONS = {
    "--flip": "--tta flip",
    "--crops": "--tta ten-crop",
    "--explain": "--saliency",
}
SETTINGS = {"clean": "deduplicate"}  # fields of Experiment
RECORD_FIELDS = {"demo": "synthetic"}  # of a record's data
VALUES = {"demo": "synthetic"}  # of --data, FER_DATA and `data.load`
IMPORTS = {
    "fer_keras.augmentation": "fer_keras.models.augmentation",
    "fer_keras.backends": "fer_keras.backend.selection",
    "fer_keras.batches": "fer_keras.training.dataset",
    "fer_keras.callbacks": "fer_keras.training.callbacks",
    "fer_keras.checking": "fer_keras.model_files.safe_loading",
    "fer_keras.checkpoints": "fer_keras.training.checkpoints",
    "fer_keras.cli.evaluation": "fer_keras.cli.evaluate",
    "fer_keras.cli.exporting": "fer_keras.cli.export",
    "fer_keras.cli.prediction": "fer_keras.cli.predict",
    "fer_keras.cli.serving": "fer_keras.cli.serve",
    "fer_keras.data.demo": "fer_keras.data.synthetic",
    "fer_keras.data.doubts": "fer_keras.data.quality",
    "fer_keras.data.forms": "fer_keras.data.formats",
    "fer_keras.data.sheet": "fer_keras.data.contact_sheet",
    "fer_keras.data.vocabulary": "fer_keras.data.aliases",
    "fer_keras.device": "fer_keras.backend.device",
    "fer_keras.distribution": "fer_keras.backend.distribution",
    "fer_keras.doctor": "fer_keras.runs.doctor",
    "fer_keras.engines": "fer_keras.inference.engines",
    "fer_keras.errors": "fer_keras.core.errors",
    "fer_keras.exporting": "fer_keras.inference.export",
    "fer_keras.files": "fer_keras.core.files",
    "fer_keras.gradients": "fer_keras.backend.gradients",
    "fer_keras.layers": "fer_keras.backend.layers",
    "fer_keras.logs": "fer_keras.core.logs",
    "fer_keras.memory": "fer_keras.backend.allocator",
    "fer_keras.mixing": "fer_keras.training.mixup",
    "fer_keras.optimizers": "fer_keras.backend.optimizers",
    "fer_keras.pictures": "fer_keras.runs.plots",
    "fer_keras.pipeline": "fer_keras.runs.pipeline",
    "fer_keras.prediction": "fer_keras.inference.prediction",
    "fer_keras.preprocessing": "fer_keras.models.preprocessing",
    "fer_keras.recognition.explaining": "fer_keras.recognition.saliency",
    "fer_keras.recognition.following": "fer_keras.recognition.tracking",
    "fer_keras.records": "fer_keras.runs.records",
    "fer_keras.releasing": "fer_keras.runs.release",
    "fer_keras.report": "fer_keras.study.report",
    "fer_keras.saving": "fer_keras.model_files.saving",
    "fer_keras.schedules": "fer_keras.training.schedules",
    "fer_keras.server.answers": "fer_keras.server.handlers",
    "fer_keras.server.guard": "fer_keras.server.middleware",
    "fer_keras.shipped": "fer_keras.model_files.pretrained",
    "fer_keras.sweep.board": "fer_keras.sweep.storage",
    "fer_keras.sweep.pictures": "fer_keras.sweep.plots",
    "fer_keras.sweep.searching": "fer_keras.sweep.search",
    "fer_keras.teaching": "fer_keras.training.distillation",
    "fer_keras.tracking": "fer_keras.runs.wandb_tracker",
    # Functions of modules whose names are packages now.
    "fer_keras.inference.inference_copy": "fer_keras.inference.folding.inference_copy",
    "fer_keras.inference.serving_model": "fer_keras.inference.folding.serving_model",
    "fer_keras.training.GeneralizedCrossEntropy": "fer_keras.training.losses.GeneralizedCrossEntropy",
    "fer_keras.training.EpochRows": "fer_keras.training.callbacks.EpochRows",
    "fer_keras.training.ProgressBar": "fer_keras.training.callbacks.ProgressBar",
    "fer_keras.training.build": "fer_keras.training.fitting.build",
    "fer_keras.training.fit": "fer_keras.training.fitting.fit",
    "fer_keras.training.overfit_losses": "fer_keras.training.fitting.overfit_losses",
    "fer_keras.data.clean": "fer_keras.data.deduplicate",
    # Functions that moved to another module, or were renamed.
    "fer_keras.batches.EpochSeeds": "fer_keras.training.callbacks.ReseedEachEpoch",
    "fer_keras.batches.Sharing": "fer_keras.training.callbacks.DistributedLogs",
    "fer_keras.batches.blends": "fer_keras.training.losses.uses_soft_targets",
    "fer_keras.batches.training_targets": "fer_keras.training.dataset.targets_of",
    "fer_keras.checking.check_digest": "fer_keras.core.files.check_digest",
    "fer_keras.checking.read": "fer_keras.model_files.safe_loading.parse",
    "fer_keras.data.doubts.doubts": "fer_keras.data.quality.quality_checks",
    "fer_keras.engines.import_keras_alone": "fer_keras.backend.keras_import.import_keras_alone",
    "fer_keras.pictures.file_name": "fer_keras.core.plotting.file_name",
    "fer_keras.pipeline.describe": "fer_keras.evaluation.describe_data",
    "fer_keras.pipeline.judge": "fer_keras.evaluation.evaluate_split",
    "fer_keras.pipeline.resolved": "fer_keras.models.resolved",
    "fer_keras.prediction.are_probabilities": "fer_keras.inference.outputs.are_probabilities",
    "fer_keras.recognition.following.steadied": "fer_keras.recognition.tracking.smoothed",
    "fer_keras.records.environment": "fer_keras.backend.machine.environment",
    "fer_keras.saving.parse_class_order": "fer_keras.model_files.class_names.parse_order",
    "fer_keras.teaching.soft_labels": "fer_keras.training.distillation.soft_targets",
}
ATTRIBUTES = {  # of classes and packages that kept their own name
    "fer_keras.FER.explain": "fer_keras.FER.saliency",
    "fer_keras.data.clean": "fer_keras.data.deduplicate",
}


class OldImports:
    """Finder that raises an `ImportError` with the new path for the import of an old one."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        if fullname in IMPORTS:
            inside = [old for old in IMPORTS if old.startswith(f"{fullname}.")]
            names = [f"{old.removeprefix(fullname)[1:]} is now {IMPORTS[old]}." for old in inside]
            raise ImportError(" ".join([f"{fullname} is now {IMPORTS[fullname]}.", *names]), name=fullname)


def refuse_old_imports() -> None:
    """Add `OldImports` behind Python's own finders, once."""
    if not any(isinstance(finder, OldImports) for finder in sys.meta_path):
        sys.meta_path.append(OldImports())


def missing_attribute(owner: str, name: str) -> AttributeError:
    """Return the error for an attribute that `owner` lacks; for an old name, it gives the new one."""
    old = f"{owner}.{name}"
    return AttributeError(f"{old} is now {ATTRIBUTES[old]}." if old in ATTRIBUTES else f"{owner} has no {name!r}")


def setting(key: str) -> str:
    """Return the current name of an `Experiment` setting, `FIELD` or `FIELD.OPTION`."""
    field, dot, option = key.partition(".")
    return SETTINGS.get(field, field) + dot + option


def read_record(record: dict[str, Any]) -> dict[str, Any]:
    """Return the `record` of a run, a result or a model card of any version under current names.

    Args:
        record: `dict` with `experiment` and possibly `data`, each a `dict`.
    """
    experiment = {setting(name): value for name, value in record["experiment"].items()}
    data = {RECORD_FIELDS.get(name, name): value for name, value in record.get("data", {}).items()}
    return record | {"experiment": experiment} | ({"data": data} if "data" in record else {})
