"""README stays true: its commands parse, its tables are what the results give, its tree is there."""

import pathlib
import re
import shlex
import tomllib

import click
import pytest

from fer_keras import __version__
from fer_keras.cli import cli
from fer_keras.study import report, results
from fer_keras.study.report import writing

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RESULTS = ROOT / "experiments" / "results"


def lines():
    return sorted(set(re.findall(r"`(fer-keras [^`\n]+)`", README)))


@pytest.mark.parametrize("line", lines())
def test_every_command_parses(line):
    group, words = cli, shlex.split(line)[1:]
    while isinstance(group, click.Group):
        command = group.commands[words.pop(0)]
        if not isinstance(command, click.Group):
            command.make_parser(click.Context(command)).parse_args(words)
        group = command


def test_every_command_stands_in_it():
    told = {line.split()[1] for line in lines()}
    assert told == set(cli.commands)


def test_every_module_of_its_tree_is_there():
    tree = re.search(r"^fer_keras/\n(.*?)^```", README, re.S | re.M)[1]
    names = re.findall(r"\b\w+(?:\.py|/)", tree)
    assert len(names) > 12
    for name in names:
        assert (ROOT / "fer_keras" / name).exists() or (ROOT / name).exists(), name


def test_every_extra_it_names_is_there():
    named = set(re.findall(r"fer-keras\[(\w+)\]", README))
    assert named and named <= PROJECT["optional-dependencies"].keys()


def test_version_is_one():
    assert PROJECT["version"] == __version__
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (\S+)", changelog, re.M)[1] == __version__


@pytest.mark.parametrize("name", [*writing.README_TABLES, *writing.STUDY_TABLES])
def test_tables_of_readme_and_study_are_what_the_results_give(name):
    of_readme = name in writing.README_TABLES
    file, table = ("README.md", writing.README_TABLES) if of_readme else ("docs/study.md", writing.STUDY_TABLES)
    text = (ROOT / file).read_text(encoding="utf-8")
    written = re.search(f"<!-- {name} -->\n\n(.*?)\n\n<!-- end of {name} -->", text, re.S)[1]
    assert written == table[name](report.read(RESULTS))


def test_result_lines_are_what_the_results_give():
    for stem, group in results.latest(report.read(RESULTS)).items():
        assert report.result_line(group) in (ROOT / "experiments" / f"{stem}.py").read_text(encoding="utf-8")
