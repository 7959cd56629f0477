"""No old term in identifiers, options, settings, headings and table columns; prose is read, not searched."""

import ast
import dataclasses
import pathlib
import re

import pytest

import fer_keras
from fer_keras import Experiment
from fer_keras.cli import cli
from fer_keras.core import renames

PACKAGE = pathlib.Path(fer_keras.__file__).parent
ROOT = PACKAGE.parent
OLD = {  # as parts of names: {old: today's}
    "answers": "handlers",
    "beat": "heartbeat",
    "blends": "uses_soft_targets",
    "board": "storage",
    "checking": "safe_loading",
    "cool": "temperature_scaling",
    "demo": "synthetic",
    "doubt": "quality_check",
    "doubts": "quality_checks",
    "drawn": "synthetic",
    "explain": "saliency",
    "explained": "saliency",
    "explaining": "saliency",
    "exporting": "export",
    "following": "tracking",
    "form": "format",
    "forms": "formats",
    "gap": "generalization_gap",
    "guard": "middleware",
    "heart": "memorized",
    "judge": "evaluate",
    "judged": "evaluated",
    "judges": "evaluates",
    "judging": "evaluation",
    "judgement": "evaluation",
    "lair": "worker_directory",
    "lairs": "worker_directories",
    "look": "tta",
    "looks": "tta",
    "matched": "distilled",
    "mixing": "mixup",
    "patience": "timeout",
    "pupil": "student",
    "releasing": "release",
    "sharing": "DistributedLogs",
    "sheet": "contact_sheet",
    "shipped": "pretrained",
    "steadied": "smoothed",
    "surplus": "duplicate",
    "taught": "soft_targets",
    "teaching": "distillation",
    "tells": "reports",
    "told": "reported",
    "views": "tta",
    "vocabulary": "aliases",
}
# Where an old term has another meaning, which is its own in that field.
STUDY = {"judge", "judged", "judging", "judgement", "look", "looks", "gap"}  # verdicts; interim analyses; a metric
OTHER_MEANINGS = {
    "study": STUDY,
    "cli/study": {"look", "looks"},
    "data/synthetic": {"gap"},  # between the lips
    "recognition": {"drawn", "gap", "matched"},  # annotated; in pictures and time; to a track
    "server": {"form"},  # multipart/form-data
    "training/finetuning": {"patience"},  # of early stopping
}
ALLOWED = {
    "PATIENCE",  # of Keras' ReduceLROnPlateau and of tracks
    "TEACHER_VIEWS",
}


def parts(name):
    """Words of an identifier: `_soft_targets` and `SoftTargets` have "soft" and "targets"."""
    return re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())


def has_old(name, place=""):
    """Return the old terms in `name`, except those with another meaning in the module or folder `place`."""
    words = "_".join(parts(name))
    for today in OLD.values():
        words = words.replace(today, "")
    other = {old for start, terms in OTHER_MEANINGS.items() if place.startswith(start) for old in terms}
    found = {old for old in OLD if re.search(rf"(?:^|_){old}(?:$|_)", words)}
    return [] if name in ALLOWED else sorted(found - other)


def identifiers(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "renames.py")
SCRIPTS = sorted(path for folder in ("benchmarks", "docs", "scripts") for path in ROOT.glob(f"{folder}/*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_identifiers(path):
    names = {path.stem, *identifiers(ast.parse(path.read_text(encoding="utf-8")))}
    place = path.relative_to(PACKAGE).with_suffix("").as_posix()
    assert {name: has_old(name, place) for name in names if has_old(name, place)} == {}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_identifiers_of_scripts(path):
    names = {path.stem, *identifiers(ast.parse(path.read_text(encoding="utf-8")))}
    assert {name: has_old(name, "study") for name in names if has_old(name, "study")} == {}


def commands(group=cli):
    for command in group.commands.values():
        yield command
        if hasattr(command, "commands"):
            yield from commands(command)


def test_options_and_commands():
    names = {command.name for command in commands()} | {p.name for command in commands() for p in command.params}
    options = {option for command in commands() for p in command.params for option in (*p.opts, *p.secondary_opts)}
    assert not options & renames.OPTIONS.keys()
    assert {name: has_old(name) for name in names | options if has_old(name)} == {}


def test_settings():
    names = {field.name for field in dataclasses.fields(Experiment)}
    assert not names & renames.SETTINGS.keys()
    assert set(renames.SETTINGS.values()) <= names
    assert {name: has_old(name) for name in names if has_old(name)} == {}


@pytest.mark.parametrize("path", [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))], ids=lambda path: path.name)
def test_headings_and_table_columns(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    headings = [line for line in lines if line.startswith("#")]
    columns = [line for line, after in zip(lines, lines[1:], strict=False) if re.fullmatch(r"\|[ :|-]+\|", after)]
    assert [line for line in headings + columns if has_old(line)] == []
