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
    **{"demo": "synthetic", "taught": "soft_targets", "sharing": "DistributedLogs"},
    **{
        "teaching": "distillation",
        "blends": "uses_soft_targets",
        "doubts": "quality_checks",
        "doubt": "quality_check",
    },
    **{"vocabulary": "aliases", "steadied": "smoothed", "lair": "worker_directory", "lairs": "worker_directories"},
    **{"shipped": "pretrained", "releasing": "release", "exporting": "export", "cool": "temperature_scaling"},
    **{"guard": "middleware", "answers": "handlers", "patience": "timeout"},
    **{"board": "storage", "surplus": "duplicate", "told": "reported", "tells": "reports"},
    **{
        "mixing": "mixup",
        "pupil": "student",
        "heart": "memorized",
        "forms": "formats",
        "checking": "safe_loading",
    },
}
ALLOWED = {"patience"}  # of Keras' ReduceLROnPlateau


def parts(name):
    """Words of an identifier: `_soft_targets` and `SoftTargets` have "soft" and "targets"."""
    return re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())


def has_old(name):
    words = "_".join(parts(name))
    return [old for old in OLD if re.search(rf"(?:^|_){old}(?:$|_)", words) and old not in ALLOWED]


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


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_identifiers(path):
    names = {path.stem, *identifiers(ast.parse(path.read_text(encoding="utf-8")))}
    assert {name: has_old(name) for name in names if has_old(name)} == {}


def commands(group=cli):
    for command in group.commands.values():
        yield command
        if hasattr(command, "commands"):
            yield from commands(command)


def test_options_and_commands():
    names = {command.name for command in commands()} | {"help"}
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
