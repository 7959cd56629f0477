"""Results: the part of a run that is kept in the repository, one small JSON file per run and seed."""

import json
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from fer_keras.core.errors import InputError
from fer_keras.core.files import StrPath, write_text
from fer_keras.core.json_checks import NUMBER, mismatch
from fer_keras.runs import records
from fer_keras.study.plan import FIRST_SEED, LOOKS, STEPS

Result = dict[str, Any]  # of one run and seed, see `compact`
Results = dict[str, list[Result]]  # {experiment file's stem: result of each seed}

ENVIRONMENT = (
    "fer_keras",
    "python",
    "keras",
    "backend",
    "backend_version",
    "numpy",
    "processor",
    "device",
    "threads",
    "precision",
)
HISTORY = (
    "epoch",
    "train_loss",
    "train_acc",
    "val_loss",
    "val_acc",
    "grad_ratio",
    "weight_norm",
    "learning_rate",
    "train_acc_inference",
    "val_acc_recalibrated",
)
MISTAKE = {"image": int, "label": int, "predicted": int, "probability": NUMBER}
RESULT: dict[str, Any] = {  # what all readers of results rely on
    "experiment": {"name": str, "seed": int},
    "data": {"digest": str, "source": str, "synthetic": bool, "images": {"*": int}},
    "environment": dict.fromkeys(ENVIRONMENT[3:], (str, int, None)),
    "cost": {"parameters": int, "minutes": NUMBER},
    "overfit": records.OVERFIT,
    "history": [dict.fromkeys(HISTORY[1:8], (*NUMBER, None))],
    "gradient_ratios": {"*": [NUMBER]},
    "scores": records.SCORES
    | {"mistakes": [{"image": int, "label": int, "predicted": int, "probability": NUMBER}]},
}
SPREAD = ("gradient_sd", "gradient_iqr", "weight_sd", "weight_iqr")


def compact(record: dict[str, Any], parameters: int, rule: str | None = None) -> Result:
    """Return the result of a finished run.

    Args:
        record: from `fer_keras.runs.records.read`.
        parameters: number of weights of the model.
        rule: `fer_keras.study.judging.rule_hash` of the run, for runs of the study.

    Returns:
        `dict` with `rule` if given; `experiment`, `data`, `environment`, `overfit` and `scores` as in the record,
        the last two rounded to 6 digits; `history` with all digits but without times, so that reruns are equal;
        `gradient_ratios` ({layer: percent by epoch, 4 digits}, in the order of layers); `spread` (likewise for
        each of `SPREAD`); `cost` (`parameters`, `minutes` of training and validation); and `continued`, if the
        record has it.
    """
    history = record["history"]
    continued = [row | {"environment": _kept(row["environment"])} for row in record.get("continued", [])]
    return {
        **({"rule": rule} if rule else {}),
        "experiment": record["experiment"],
        "data": record["data"],
        "environment": _kept(record["environment"]),
        **({"continued": continued} if continued else {}),
        "cost": {
            "parameters": parameters,
            "minutes": rounded(sum(row["epoch_time"] for row in history) / 60, 3),
        },
        "overfit": rounded(record["overfit"], 6),
        "history": [{key: row[key] for key in HISTORY if key in row} for row in history],
        "gradient_ratios": _by_layer(history, "grad_ratio"),
        "spread": {kind: _by_layer(history, kind) for kind in SPREAD},
        "scores": rounded(record["scores"], 6),
    }


def _by_layer(history: list[dict[str, Any]], kind: str) -> dict[str, list[float]]:
    names = [name for name in history[0] if name.startswith(f"{kind}/")]
    return {name.removeprefix(f"{kind}/"): [rounded(row[name], 4) for row in history] for name in names}


def _kept(environment: Mapping[str, Any]) -> dict[str, Any]:
    return {key: environment.get(key) for key in ENVIRONMENT}


def rounded(value: Any, digits: int) -> Any:
    """Return `value` with every float in it, however deep, rounded to `digits` significant digits."""
    if isinstance(value, float):
        return float(f"{value:.{digits}g}")
    if isinstance(value, dict):
        return {key: rounded(item, digits) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item, digits) for item in value]
    return value


def path(folder: StrPath, stem: str, seed: int) -> pathlib.Path:
    """Return the path of the result of an experiment file and a seed: folder/stem/seed.json."""
    return pathlib.Path(folder) / stem / f"{seed}.json"


def write(path: StrPath, result: Result) -> None:
    """Write `result` as JSON with one line per part and per epoch, so that diffs are readable."""
    parts = []
    for name, part in result.items():
        lines = ",\n    ".join(_json(row) for row in part) if name == "history" else None
        parts.append(f"  {_json(name)}: " + (f"[\n    {lines}\n  ]" if lines else _json(part)))
    write_text(path, "{\n" + ",\n".join(parts) + "\n}\n")


def read_one(path: StrPath) -> Result | None:
    """Return the result at `path`, or `None` if there is none.

    Raises:
        InputError: if the file is damaged.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        return None
    result = records.read(path)
    if reason := mismatch(result, RESULT) if result["history"] else "'history' is empty":
        raise InputError(f"{path} is damaged: {reason}. Delete it and run `fer-keras study` again.")
    return result


def read(folder: StrPath) -> Results:
    """Return {experiment file's stem: [result of each seed]} of all results in `folder`, sorted.

    Raises:
        InputError: if a file is damaged, or the results are of different data.
    """
    found: dict[str, list[tuple[int, Any]]] = {}
    for file in pathlib.Path(folder).glob("*/*.json"):
        if file.stem.isdecimal():
            found.setdefault(file.parent.name, []).append((int(file.stem), read_one(file)))
    results = {stem: [result for _, result in sorted(pairs)] for stem, pairs in sorted(found.items())}
    digests = {result["data"]["digest"]: stem for stem, group in results.items() for result in group}
    if len(digests) > 1:
        raise InputError(
            f"The results in {folder} are of {len(digests)} different data sets, such as in "
            f"{' and '.join(list(digests.values())[:2])}. Expected one: finish `fer-keras study` on one of them."
        )
    return results


def pilot(found: Results) -> Results:
    """Return the pilot in `found`: the first seeds of the study's runs, which shaped the rule."""
    return _part(found, _is_pilot)


def latest(found: Results) -> Results:
    """Return `found` with only each run's new seeds, or those of its pilot until the first look is complete."""
    new = _part(found, lambda seed: seed >= FIRST_SEED)
    complete = {stem: group for stem, group in new.items() if len(group) >= LOOKS[0]}
    return {
        stem: complete.get(stem) or _part({stem: group}, _is_pilot).get(stem, group)
        for stem, group in found.items()
    }


def _is_pilot(seed: int) -> bool:
    return seed < FIRST_SEED


def _part(found: Results, wanted: Callable[[int], bool]) -> Results:
    runs = {name for step in STEPS for name in step.runs}
    part = {
        stem: [r for r in group if wanted(r["experiment"]["seed"])]
        for stem, group in found.items()
        if group[0]["experiment"]["name"] in runs
    }
    return {stem: group for stem, group in part.items() if group}


def _json(value: Any) -> str:
    return json.dumps(value, allow_nan=False)
