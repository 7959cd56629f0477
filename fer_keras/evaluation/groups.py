"""Accuracy by user-defined groups of images: persons, ages, cameras, lighting."""

import csv
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import binomtest

from fer_keras.core.errors import InputError
from fer_keras.core.files import StrPath

FILE = "file"


def read_groups(path: StrPath, names: Sequence[str]) -> dict[str, list[str]]:
    """Return {column: group of each of `names`, "" without a group} from a CSV file.

    Args:
        path: with the column `file`, a path inside the data or, for data without files, the number of its row from
            0; every other column is a grouping.
        names: of the images that are evaluated.

    Raises:
        InputError: if it cannot be read, lacks these columns, names a file twice, or contains none of `names`.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = [column for column in reader.fieldnames or () if column != FILE]
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as CSV: {error}.") from error
    if not columns or FILE not in (reader.fieldnames or ()):
        raise InputError(f"{path} must be CSV with the column file and at least one more, such as person.")
    found = {row[FILE]: row for row in rows}
    if len(found) < len(rows):
        raise InputError(f"{path} names a file more than once. Give each image one row.")
    if not any(name in found for name in names):
        raise InputError(f"{path} names none of the {len(names):,} images, such as {names[0]!r}.")
    return {column: [found.get(name, {}).get(column) or "" for name in names] for column in columns}


def by_group(
    groups: Mapping[str, Sequence[str]], right: np.ndarray, covered: np.ndarray | None = None
) -> dict[str, dict[str, Any]]:
    """Return the figures of each group.

    Args:
        groups: {column: group of each image}; images of the group "" are left out.
        right: bool (n,): whether the likeliest class is the label.
        covered: bool (n,): whether the prediction set contains the label; None for networks without thresholds.

    Returns:
        {column: `dict` for JSON}: `groups`, a list in the order of names of `group`, `images`, `accuracy`, its
        Wilson interval of 95 % `low` and `high`, with sets `covered`; `smallest`, the group of fewest images;
        `largest_difference`, of accuracy, between the groups `lowest` and `highest`.
    """
    return {column: _figures(np.array(of), right, covered) for column, of in groups.items() if any(of)}


def _figures(of: np.ndarray, right: np.ndarray, covered: np.ndarray | None) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    for group in np.unique(of[of != ""]):
        inside = of == group
        interval = binomtest(int(right[inside].sum()), int(inside.sum())).proportion_ci(method="wilson")
        row: dict[str, Any] = {
            "group": str(group),
            "images": int(inside.sum()),
            "accuracy": float(right[inside].mean()),
        }
        row |= {"low": float(interval.low), "high": float(interval.high)}
        rows.append(row if covered is None else row | {"covered": float(covered[inside].mean())})
    lowest, *_, highest = sorted(rows, key=lambda row: row["accuracy"]) if len(rows) > 1 else (rows[0], rows[0])
    return {
        "groups": rows,
        "smallest": min(rows, key=lambda row: row["images"])["group"],
        "lowest": lowest["group"],
        "highest": highest["group"],
        "largest_difference": highest["accuracy"] - lowest["accuracy"],
    }


def groups_table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the figures of `by_group` as text: a line for each group, then smallest and largest difference."""
    lines = []
    for column, figures in found.items():
        width = max(len(column), *(len(row["group"]) for row in figures["groups"])) + 2
        covered = f"{'covered':>10}" if "covered" in figures["groups"][0] else ""
        lines += ["", f"{column:<{width}}{'images':>8}{'accuracy':>10}   95 % interval{covered}"]
        for row in figures["groups"]:
            share = f"{row['covered']:>10.3f}" if covered else ""
            interval = f"{row['low']:.3f} - {row['high']:.3f}"
            lines.append(f"{row['group']:<{width}}{row['images']:>8,}{row['accuracy']:>10.3f}   {interval}{share}")
        lines.append(
            f"Smallest group: {figures['smallest']}. Largest difference of accuracy: "
            f"{figures['largest_difference']:.3f}, {figures['lowest']} below {figures['highest']}."
        )
    return "\n".join(lines).strip("\n")
