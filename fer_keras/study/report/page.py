"""The report as one self-contained HTML page."""

import base64
import dataclasses
import io
import json
import math
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from fer_keras import study
from fer_keras.core.errors import InputError
from fer_keras.data import EMOTIONS, Faces, auditing, split
from fer_keras.study import judging, results
from fer_keras.study.judging import Judgement
from fer_keras.study.plan import Finding
from fer_keras.study.report.tables import about, difference, judged, pair, rows, sentence, shown
from fer_keras.study.results import Result, Results

TEMPLATE = pathlib.Path(__file__).with_name("page.html")
SAMPLES = 8  # faces of each class in the data review
CURVES = ("val_acc", "train_acc", "val_loss", "train_loss", "grad_ratio", "weight_norm", "learning_rate")


def html(found: Results, faces: Faces | None = None) -> str:
    """Return the page for results from `fer_keras.study.results.read`; for `faces` see `pictures` and `review`."""
    data = json.dumps(content(found, faces), allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return TEMPLATE.read_text(encoding="utf-8").replace("{{data}}", data)


def content(found: Results, faces: Faces | None = None) -> dict[str, Any]:
    """Return the content of the page as plain values; `pictures` and `review` are `None` without `faces`."""
    latest = results.latest(found)
    runs = [row | _course(latest[row["stem"]]) for row in rows(found)]
    return {
        "about": about(found),
        "emotions": EMOTIONS,
        "steps": [
            {"number": s.number, "question": s.question, "claim": s.claim, "runs": shown(s)} for s in study.STEPS
        ],
        "runs": sorted(runs, key=lambda run: run["step"] is None),
        "opened": next((run["name"] for run in runs if run["name"] == study.CNN_BEST), runs[0]["name"]),
        "findings": [_finding(*item) for item in judged(found)],
        "associations": [dataclasses.asdict(one) for one in judging.associations(judging.figures(found), found)],
        "pictures": None if faces is None else pictures(latest, faces),
        "review": None if faces is None else review(faces),
    }


def review(faces: Faces) -> dict[str, Any]:
    """Return the data review of `faces`: images by usage and class, the audit, samples of each class.

    Returns:
        `dict` with `counts` ({usage: {class: images}}), `lines` (text), `agreement` with FER+ ({class: fraction},
        `None` without votes) and `samples` ({class: [PNG in base64]}, the first in the data).
    """
    audit = auditing.audit(faces)
    rows_of = {name: np.flatnonzero(faces.labels == code)[:SAMPLES] for code, name in enumerate(EMOTIONS)}
    return {
        "counts": audit["counts"],
        "lines": auditing.audit_text(audit).splitlines()[1 + len(audit["counts"]) :],
        "agreement": audit["agreement"] and audit["agreement"]["classes"],
        "samples": {name: [_png(faces.images[row]) for row in chosen] for name, chosen in rows_of.items()},
    }


def pictures(found: Results, faces: Faces) -> dict[int, dict[int, str]]:
    """Return {seed: {place in the test split: PNG in base64}} of the mistakes that the page shows.

    Args:
        found: results.
        faces: `fer_keras.data.Faces`, those of the results.

    Raises:
        InputError: if the results are of other faces.
    """
    data = next(iter(found.values()))[0]["data"]
    if data["digest"] != faces.digest:
        raise InputError(
            f"The results are of {data['source']} with digest {data['digest'][:12]}, but {faces.source} has "
            f"{faces.digest[:12]}. Give the data that they are of with --data, or neither --data nor FER_DATA."
        )
    wanted: dict[int, set[int]] = {}
    for first, *_ in found.values():
        places = (mistake["image"] for mistake in first["scores"]["mistakes"])
        wanted.setdefault(first["experiment"]["seed"], set()).update(places)
    tests = {seed: split(faces, seed)["test"].images for seed in wanted}
    return {seed: {i: _png(tests[seed][i]) for i in sorted(places)} for seed, places in wanted.items()}


def _png(image: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(image[..., 0]).save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _course(group: list[Result]) -> dict[str, Any]:
    confusions = [result["scores"]["confusion"] for result in group]
    settings = group[0]["experiment"]
    return {
        "settings": {key: value for key, value in settings.items() if key not in ("name", "seed")},
        "classes": {
            kind: [[result["scores"].get(f"{kind}_{code}") for result in group] for code in range(len(EMOTIONS))]
            for kind in ("recall", "precision", "f1")
        },
        "spread": {kind: [result.get("spread", {}).get(kind, {}) for result in group] for kind in results.SPREAD},
        "curves": {
            key: [[results.rounded(row[key], 5) for row in result["history"]] for result in group]
            for key in CURVES
        }
        | {"overfit": [results.rounded(result["overfit"]["losses"], 4) for result in group]},
        "ratios": [result["gradient_ratios"] for result in group],
        "checks": [result["overfit"]["text"] for result in group],
        "mistakes": group[0]["scores"]["mistakes"],
        "confusion": [
            [sum(cells) for cells in zip(*lines, strict=True)] for lines in zip(*confusions, strict=True)
        ],
    }


def _finding(finding: Finding, verdict: str, judgements: Sequence[Judgement]) -> dict[str, Any]:
    metric = judging.METRICS[finding.metric]
    return {
        "step": finding.step,
        "claim": finding.claim,
        "verdict": verdict,
        "sentence": sentence(finding, verdict, judgements),
        "metric": metric.label,
        "scale": 100 if metric.points else 1,
        "unit": "points" if metric.points else "",
        "threshold": not isinstance(finding.pairs[0][1], str),
        "claimed": [side if math.isfinite(side) else None for side in finding.claimed],
        "pairs": [
            {
                "title": pair(j, metric.points),
                "mean": j.mean,
                "differences": j.differences,
                "low": j.low,
                "high": j.high,
                "verdict": j.verdict,
                "text": difference(j, metric.points),
            }
            for j in judgements
        ],
    }
