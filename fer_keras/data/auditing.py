"""Audit of a data set: duplicates, conflicting labels, blank images, disagreement with FER+."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fer_keras.data.faces import USAGES, Faces, fingerprints
from fer_keras.data.rows import Images, chunks
from fer_keras.data.skipped import skipped_text
from fer_keras.data.votes import COLUMNS, column_of

# Standard deviation in grey levels. FER-2013 has 8 uniform images and 5 more below this; no other looks blank.
NEAR_BLANK = 15
EXAMPLES = 16


def audit(faces: Faces) -> dict:
    """Return the audit of `faces` for JSON. Rows count from 0; usages are given by name.

    Returns:
        `dict` with `images`, `source`, `digest`, `synthetic` and

        - `class_names`; `skipped`: images that were not read, `{reason: {"images", "example"}}`; `notes`: choices
          made while reading.
        - `counts`: `{usage: {class: images}}`; `unlabelled`: `{usage: images}` of the usages that have some.
        - `duplicates`: exact ones. `within` each usage, and `all`: `unique` images, `surplus` copies, `groups` of
          equal images. `across`, e.g. `"PublicTest in Training"`: `images` of the first that are also in the
          second, their `share`, and how many have the `same_label` there.
        - `conflicts`: groups of equal images with different labels, by usage and `all`: `groups`, `images`;
          `examples`: rows of some groups.
        - `blank`, `near_blank`: rows of uniform images; of images with a standard deviation below 15.
        - `agreement` with FER+, or None: see `agreement`.
    """
    _, group = np.unique(fingerprints(faces.images), return_inverse=True)
    usages = {usage_name(code): faces.usages == code for code in np.unique(faces.usages)}
    every = {**usages, "all": np.ones(len(faces), bool)}
    conflicts = {name: conflicting(group, faces.labels, mask) for name, mask in every.items()}
    spread = deviations(faces.images)
    return {
        "images": len(faces),
        "source": faces.source,
        "digest": faces.digest,
        "synthetic": faces.synthetic,
        "class_names": list(faces.class_names),
        "skipped": dict(faces.skipped),
        "notes": list(faces.notes),
        "counts": {name: class_counts(faces.labels[mask], faces.class_names) for name, mask in usages.items()},
        "unlabelled": {name: n for name, mask in usages.items() if (n := int((faces.labels[mask] < 0).sum()))},
        "duplicates": {
            "within": {name: duplicates(group[mask]) for name, mask in usages.items()},
            "all": duplicates(group),
            "across": across(group, faces.labels, usages),
        },
        "conflicts": {
            name: {"groups": len(found), "images": sum(map(len, found))} for name, found in conflicts.items()
        }
        | {"examples": conflicts["all"][:EXAMPLES]},
        "blank": np.flatnonzero(spread == 0).tolist(),
        "near_blank": np.flatnonzero((spread > 0) & (spread < NEAR_BLANK)).tolist(),
        "agreement": None if faces.votes is None else agreement(faces.labels, faces.votes, faces.class_names),
    }


def usage_name(code: int) -> str:
    return USAGES[code] if code >= 0 else "unknown"


def class_counts(labels: np.ndarray, class_names: Sequence[str]) -> dict[str, int]:
    return {name: int((labels == code).sum()) for code, name in enumerate(class_names)}


def duplicates(group: np.ndarray) -> dict[str, int]:
    sizes = np.unique(group, return_counts=True)[1]
    return {"unique": len(sizes), "surplus": int((sizes - 1).sum()), "groups": int((sizes > 1).sum())}


def across(group: np.ndarray, labels: np.ndarray, usages: Mapping[str, np.ndarray]) -> dict[str, dict[str, Any]]:
    """Return the copies of each usage's images in every earlier one."""
    labelled = group * (labels.max(initial=0) + 2) + labels
    names, found = list(usages), {}
    for i, name in enumerate(names):
        for other in names[:i]:
            here, there = usages[name], usages[other]
            copies = np.isin(group[here], group[there])
            same = np.isin(labelled[here], labelled[there]) & (labels[here] >= 0)
            found[f"{name} in {other}"] = {
                "images": int(copies.sum()),
                "share": round(float(copies.mean()), 4),
                "same_label": int(same.sum()),
            }
    return found


def conflicting(group: np.ndarray, labels: np.ndarray, mask: np.ndarray) -> list[list[int]]:
    """Return the rows of each group of equal images in `mask` with at least two labels."""
    rows = np.flatnonzero(mask & (labels >= 0))
    pairs = np.unique(np.stack([group[rows], labels[rows]]), axis=1)
    torn, counts = np.unique(pairs[0], return_counts=True)
    rows = rows[np.isin(group[rows], torn[counts > 1])]
    order = np.argsort(group[rows], kind="stable")
    borders = np.flatnonzero(np.diff(group[rows][order])) + 1
    groups = [part.tolist() for part in np.split(rows[order], borders) if len(part)]
    return sorted(groups)


def deviations(images: Images) -> np.ndarray:
    """Return the standard deviation of each image's pixels, in grey levels."""
    return np.concatenate(
        [chunk.astype(np.float32).reshape(len(chunk), -1).std(axis=1) for chunk in chunks(images)]
    )


def agreement(labels: np.ndarray, votes: np.ndarray, class_names: Sequence[str]) -> dict[str, Any] | None:
    """Return how often the label is the emotion chosen by most of FER+'s annotators, as fractions.

    Labelled images with votes are counted. The choice is the first largest of FER+'s eight emotions.

    Returns:
        `dict`: `images` counted and `overall`; `clear`, for images on which at least five of ten agree; `classes`,
        `{emotion: fraction}`; `said_instead`, `{emotion: the most frequent other choice of FER+}`. None if no
        class is one of FER+'s.
    """
    columns = np.array([column_of(name) for name in class_names])
    if (columns < 0).all():
        return None
    counted = (labels >= 0) & votes.any(axis=1)
    labels, votes = labels[counted], votes[counted, :8]
    equal = votes.argmax(axis=1) == columns[labels]
    clear = votes.max(axis=1) >= 5
    classes = [code for code in range(len(class_names)) if (labels == code).any() and columns[code] >= 0]
    return {
        "images": len(labels),
        "overall": share(equal),
        "clear_images": int(clear.sum()),
        "clear": share(equal[clear]),
        "classes": {class_names[code]: share(equal[labels == code]) for code in classes},
        "said_instead": {class_names[code]: instead(votes[labels == code], columns[code]) for code in classes},
    }


def share(values: np.ndarray) -> float | None:
    return round(float(values.mean()), 4) if len(values) else None


def instead(votes: np.ndarray, column: int) -> str:
    chosen = np.bincount(votes.argmax(axis=1), minlength=8)
    chosen[column] = -1
    return COLUMNS[chosen.argmax()]


def usage_text(usage: str, counts: Mapping[str, int], unlabelled: int) -> str:
    parts = [f"{n:,} {name}" for name, n in counts.items()]
    parts += [f"{unlabelled:,} without a label"] if unlabelled else []
    return f"{usage}: {sum(counts.values()) + unlabelled:,} images: {', '.join(parts)}"


def audit_text(report: dict) -> str:
    """Return the report of `audit` as lines for a terminal."""
    all_copies, conflicts = report["duplicates"]["all"], report["conflicts"]["all"]
    lines = [
        f"{report['images']:,} images from {report['source']}" + (" (synthetic)" if report["synthetic"] else "")
    ]
    lines += [
        usage_text(usage, counts, report["unlabelled"].get(usage, 0)) for usage, counts in report["counts"].items()
    ]
    lines += [*report["notes"], *filter(None, [skipped_text(report["skipped"])])]
    lines.append(
        f"exact duplicates: {all_copies['surplus']:,} images beyond {all_copies['unique']:,} different ones"
    )
    lines += [
        f"{pair}: {copies['images']:,} images ({copies['share']:.1%}), {copies['same_label']:,} with equal label"
        for pair, copies in report["duplicates"]["across"].items()
    ]
    lines.append(
        f"conflicting labels: {conflicts['images']:,} images in {conflicts['groups']:,} groups of equal ones"
    )
    lines.append(f"blank images: {len(report['blank'])}, near-blank: {len(report['near_blank'])}")
    if report["agreement"]:
        classes = ", ".join(f"{name} {value:.0%}" for name, value in report["agreement"]["classes"].items())
        lines.append(f"agreement with FER+: {report['agreement']['overall']:.1%} ({classes})")
    return "\n".join(lines)
