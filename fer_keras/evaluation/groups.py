"""Accuracy by user-defined groups of images: persons, ages, cameras, lighting."""

import csv
import logging
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import binomtest

from fer_keras.core.errors import InputError
from fer_keras.core.files import StrPath, printable

LOG = logging.getLogger("fer_keras")
FILE = "file"
INDEX = re.compile(r"(Unnamed: \d+)?")  # names of the index column that pandas writes
NO_GROUP = ("", "nan")  # in lower case
COVERAGE = 0.9  # of the prediction sets


def read_groups(path: StrPath, names: Sequence[str], known: Collection[str]) -> dict[str, list[str]]:
    """Return {column: group of each of `names`, "" without a group} from a CSV file.

    Spaces around a group are removed; "" and "NaN" are no group. Images without a row, rows without an image and
    columns without a group are logged.

    Args:
        path: with the column `file`, a path inside the data or, for data without files, the number of its row from
            0; every other column is a grouping, but for an index that pandas wrote.
        names: of the images that are evaluated.
        known: the names of all images of the data.

    Raises:
        InputError: if it cannot be read, lacks these columns, repeats a column or a file, has a row of more or
            fewer columns than the header, or contains none of `names`.
    """
    header, rows = _read(path)
    columns = [name for name in header if name != FILE and not INDEX.fullmatch(name)]
    if not columns or FILE not in header:
        raise InputError(f"{path} must be CSV with the column file and at least one more, such as person.")
    found = {row[FILE]: row for row in rows}
    if len(found) < len(rows):
        raise InputError(f"{path} names a file more than once. Give each image one row.")
    missing = [name for name in names if name not in found]
    if len(missing) == len(names):
        raise InputError(f"{path} names none of the {len(names):,} images, such as {names[0]!r}.")
    _warn_unmatched(path, missing, len(names), [name for name in found if name not in known], len(found))
    groups = {
        column: [_group(found[name][column]) if name in found else "" for name in names] for column in columns
    }
    for column, of in groups.items():
        if not any(of):
            LOG.warning("%s: the column %r has no group for any of the images and is left out.", path, column)
    return groups


def _read(path: StrPath) -> tuple[list[str], list[dict[str, str]]]:
    """Return the column names and the rows, {column: text}."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = [name.strip() for name in next(reader, [])]
            lines = [(reader.line_num, row) for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as CSV: {error}.") from error
    for name in header:
        if header.count(name) > 1:
            raise InputError(f"{path} has {header.count(name)} columns named {name!r}. Give each its own name.")
    for number, row in lines:
        if len(row) != len(header):
            raise InputError(f"{path}, line {number} has {len(row)} columns, but the header has {len(header)}.")
    return header, [dict(zip(header, row, strict=True)) for _, row in lines]


def _group(text: str) -> str:
    text = text.strip()
    return "" if text.lower() in NO_GROUP else text


def _warn_unmatched(path: StrPath, missing: list[str], images: int, unknown: list[str], rows: int) -> None:
    """Log how many images have no row, and how many rows name no image."""
    parts = []
    if missing:
        parts.append(f"{len(missing):,} of the {images:,} images have no row, such as {missing[0]!r}")
    if unknown:
        parts.append(f"{len(unknown):,} of the {rows:,} rows name no image of the data, such as {unknown[0]!r}")
    if parts:
        LOG.warning("%s: %s.", path, "; ".join(parts))


def by_group(
    groups: Mapping[str, Sequence[str]], right: np.ndarray, covered: np.ndarray | None = None
) -> dict[str, dict[str, Any]]:
    """Return the figures of each group.

    Args:
        groups: {column: group of each image}; images of the group "" are left out.
        right: bool (n,): whether the likeliest class is the label.
        covered: bool (n,): whether the prediction set for the coverage `COVERAGE` contains the label; None for
            networks without thresholds.

    Returns:
        {column: `dict` for JSON}: `groups`, a list in the order of names of `group`, `images`, `accuracy`, its
        Wilson interval of 95 % `low` and `high`; `smallest`, the group of fewest images; `largest_difference`, of
        accuracy, between the groups `lowest` and `highest`. With sets each group also has `covered`, `covered_low`
        and `covered_high`, and the column `coverage`, the requested one, and `largest_covered_difference`, between
        the groups `least_covered` and `most_covered`.
    """
    return {column: _figures(np.array(of), right, covered) for column, of in groups.items() if any(of)}


def _figures(of: np.ndarray, right: np.ndarray, covered: np.ndarray | None) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    for group in np.unique(of[of != ""]):
        inside = of == group
        share, low, high = _share(right[inside])
        row = {"group": str(group), "images": int(inside.sum()), "accuracy": share, "low": low, "high": high}
        if covered is not None:
            share, low, high = _share(covered[inside])
            row |= {"covered": share, "covered_low": low, "covered_high": high}
        rows.append(row)
    lowest, highest, difference = _range(rows, "accuracy")
    figures = {
        "groups": rows,
        "smallest": min(rows, key=lambda row: row["images"])["group"],
        "lowest": lowest,
        "highest": highest,
        "largest_difference": difference,
    }
    if covered is not None:
        least, most, difference = _range(rows, "covered")
        figures |= {"coverage": COVERAGE, "least_covered": least, "most_covered": most}
        figures |= {"largest_covered_difference": difference}
    return figures


def _share(values: np.ndarray) -> tuple[float, float, float]:
    """Return the share of true values and its Wilson interval of 95 %."""
    interval = binomtest(int(values.sum()), len(values)).proportion_ci(method="wilson")
    return float(values.mean()), float(interval.low), float(interval.high)


def _range(rows: list[dict[str, Any]], figure: str) -> tuple[str, str, float]:
    """Return the groups of the lowest and of the highest figure, and the difference."""
    lowest, highest = (choose(rows, key=lambda row: row[figure]) for choose in (min, max))
    return lowest["group"], highest["group"], highest[figure] - lowest[figure]


def groups_table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the figures of `by_group` as text: a line for each group, then smallest and largest differences."""
    return "\n\n".join(_column_table(printable(column), figures) for column, figures in found.items())


def _column_table(column: str, figures: Mapping[str, Any]) -> str:
    rows = figures["groups"]
    width = max(len(column), *(len(printable(row["group"])) for row in rows)) + 2
    title = f"{column:<{width}}{'images':>8}{'accuracy':>10}   95 % interval"
    if "coverage" in figures:
        title += f"   in sets of {100 * figures['coverage']:.0f} %   95 % interval"
    lines = [title]
    for row in rows:
        line = f"{printable(row['group']):<{width}}{row['images']:>8,}"
        line += f"{row['accuracy']:>10.3f}   {row['low']:.3f} - {row['high']:.3f}"
        if "covered" in row:
            line += f"{row['covered']:>18.3f}   {row['covered_low']:.3f} - {row['covered_high']:.3f}"
        lines.append(line)
    return "\n".join([*lines, _summary(figures)])


def _summary(figures: Mapping[str, Any]) -> str:
    if len(figures["groups"]) == 1:
        return "There is one group only."
    sentences = [f"Smallest group: {printable(figures['smallest'])}."]
    for name, difference, low, high in (
        ("accuracy", "largest_difference", "lowest", "highest"),
        ("coverage", "largest_covered_difference", "least_covered", "most_covered"),
    ):
        if difference in figures:
            groups = f"{printable(figures[low])} below {printable(figures[high])}"
            sentences.append(
                f"Largest difference of {name}: {figures[difference]:.3f}, {groups}."
                if figures[difference]
                else f"No difference of {name}."
            )
    return " ".join(sentences)
