"""README stays true: its figures are those of cards and results, its program gives the answer below it."""

import contextlib
import io
import pathlib
import re
import tomllib

import pytest
from helpers import pages
from helpers.portraits import PORTRAIT

from fer_keras import __version__
from fer_keras.model_files import pretrained
from fer_keras.study import report, results
from fer_keras.study.report import writing

ROOT = pathlib.Path(__file__).parents[1]
README = pages.read("README.md")
PROJECT = tomllib.loads(pages.read("pyproject.toml"))["project"]
RESULTS = ROOT / "experiments" / "results"


def test_every_extra_it_names_is_there():
    named = {extra for names in re.findall(r"fer-keras\[([\w,]+)\]", README) for extra in names.split(",")}
    assert named and named <= PROJECT["optional-dependencies"].keys()


def test_start_holds_installation_and_tests():
    start = re.search(r"^## Start\n(.*?)^## ", README, re.S | re.M)[1]
    install, test = re.findall(r"```bash\n(.*?)```", start, re.S)  # .ci/run runs them in this order
    assert "pip install" in install and "experiments/cnn_best.py" in install and "pytest" in test


def test_version_is_one():
    assert PROJECT["version"] == __version__
    assert re.search(r"^## (\S+)", pages.read("CHANGELOG.md"), re.M)[1] == __version__
    assert f"version: {__version__}\n" in pages.read("CITATION.cff")


def test_three_lines_of_python_give_the_answer_below_them(tmp_path, monkeypatch):
    pytest.importorskip("cv2", reason="needs fer-keras[faces]")
    program, answer = re.search(r"```python\n(.*?)```\n\n```text\n(.*?)```", README, re.S).groups()
    (tmp_path / "portrait.png").write_bytes(PORTRAIT.read_bytes())
    monkeypatch.chdir(tmp_path)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(program, {})
    assert printed.getvalue() == answer


@pytest.mark.parametrize("name", ["best", "tiny", "ferplus"])
def test_row_of_a_network_is_what_its_card_says(name):
    card = pretrained.card(name)
    one, flip, crops = (card["scores"]["test"][tta] for tta in ("none", "flip", "ten-crop"))
    size = (pretrained.FOLDER / card["weights"]).stat().st_size
    accuracies = [one["accuracy"], flip["accuracy"], crops["accuracy"], one["leak_free_accuracy"]]
    expected = [
        str(len(pretrained.class_names(card))),
        *(f"{100 * share:.1f} %" for share in accuracies),
        f"{card['parameters']:,}",
        f"{size / 1e6:.1f} MB",
    ]
    row = re.search(rf"^\| `{name}` \|(.*)\|$", README, re.M)[1]
    assert [cell.strip() for cell in row.split("|")][:-1] == expected


@pytest.mark.parametrize(
    ("file", "name"), [(file, name) for file, table in writing.PAGES.items() for name in table]
)
def test_tables_are_what_the_results_give(file, name):
    written = re.search(f"<!-- {name} -->\n\n(.*?)\n\n<!-- end of {name} -->", pages.read(file), re.S)[1]
    assert written == writing.PAGES[file][name](report.read(RESULTS))


def test_result_lines_are_what_the_results_give():
    for stem, group in results.latest(report.read(RESULTS)).items():
        assert report.result_line(group) in pages.read(f"experiments/{stem}.py")
