"""The promises of docs/reliability.md name tests and commands that are there."""

import pathlib
import re

from helpers import hostile

ROOT = pathlib.Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")


def test_every_test_named_is_there():
    for file, name in re.findall(r"`(?:tests/)?((?:\w+/)*test_\w+\.py)(?:::(\w+))?", TEXT):
        source = (ROOT / "tests" / file).read_text(encoding="utf-8")
        assert f"def {name}" in source, (file, name)
    for name in re.findall(r"`(test_[a-z_]+)`", TEXT):
        assert any(
            f"def {name}(" in path.read_text(encoding="utf-8") for path in ROOT.glob("tests/**/test_*.py")
        ), name


def test_every_script_named_is_there():
    for script in re.findall(r"`(?:python )?((?:tests|\.ci|fer_keras)/[\w/]+(?:\.py)?)\b", TEXT):
        assert (ROOT / script).is_file(), script


def test_every_attack_stands_in_the_document():
    assert [name for name in hostile.FILES if f"| {name} |" not in TEXT] == []
