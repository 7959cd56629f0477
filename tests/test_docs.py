"""The documentation: it builds, its figures are those of the records, what the tutorial tells to type works."""

import ast
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
from helpers import pages

from fer_keras import models
from fer_keras.experiment import load
from fer_keras.model_files import pretrained

ROOT = pathlib.Path(__file__).parents[1]


def test_site_builds_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path):
    pytest.importorskip("mkdocs", reason="needs fer-keras[docs]")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path / "site"]
    subprocess.run(command, cwd=ROOT, check=True)
    for page in (tmp_path / "site").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"(https?:[^\"]+)", text)
        assert not loaded, f"{page} loads {loaded}"
    guide = (tmp_path / "site/guides/own_training.html").read_text(encoding="utf-8")
    assert "GradientRatio</span>" in guide and "8&lt;" not in guide, "the example is included"


def test_figures_of_the_comparison_are_those_of_the_networks_card():
    card = pretrained.card("best")
    scores = card["scores"]["test"]["none"]
    row = re.search(r"^\| measured here,[^|]*\|([^|]*)\|", text := (ROOT / "docs/peers.md").read_text(), re.M)[1]
    assert row.strip(" *") == f"{100 * scores['accuracy']:.1f} %"
    error = re.search(r"^\| calibration error there,[^|]*\|([^|]*)\|", text, re.M)[1]
    assert error.strip(" *") == f"{scores['calibration_error']:.3f}"
    assert f"in {card['minutes']:.0f} minutes on one CPU core" in " ".join(text.split())


def test_rows_of_the_accuracy_page_are_those_of_the_records():
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\|(.*)\|$", (ROOT / "docs/accuracy.md").read_text(), re.M)
    folders = ("results", "results_ferplus")
    records = {p.parent.name: p for folder in folders for p in ROOT.glob(f"experiments/{folder}/*/0.json")}
    assert {name for name, _ in rows} == {name for name in records if "resnet_" in name} | {"cnn_best"}
    for name, figures in rows:
        record = json.loads(records[name].read_text())
        last, scores = record["history"][-1], record["scores"]
        shares = (
            last["val_acc"],
            scores["accuracy"],
            scores["leak_free_accuracy"],
            last["train_acc"] - last["val_acc"],
        )
        expected = [*(f"{100 * share:.1f}" for share in shares), f"{record['cost']['minutes']:.0f}"]
        assert [figure.strip() for figure in figures.split("|")] == expected, name


def test_shortened_runs_of_the_accuracy_page_are_those_of_the_records():
    pattern = r"^\| `fer-keras run experiments/(\w+)\.py([^`]*)` \|(.*)\|$"
    rows = re.findall(pattern, (ROOT / "docs/accuracy.md").read_text(), re.M)
    records = {path.parent.name: path for path in ROOT.glob("experiments/results_shortened/*/0.json")}
    assert sorted(name for name, _, _ in rows) == sorted(records)
    for name, settings, figures in rows:
        record = json.loads(records[name].read_text())
        for setting in settings.split():
            key, value = setting.split("=")
            assert str(record["experiment"][key]) == value
        scores, last = record["scores"], record["history"][-1]
        shares = last["val_acc"], scores["accuracy"], scores["leak_free_accuracy"]
        expected = [f"{record['cost']['minutes']:.0f}", *(f"{100 * share:.1f}" for share in shares)]
        assert [figure.strip() for figure in figures.split("|")] == expected, name


def test_best_trial_of_the_sweep_page_is_the_experiment_of_that_name():
    rows = re.findall(r"^\| (\d+) \| ([\d.]+) \| (\d+) \|(.*)\|$", (ROOT / "docs/sweep.md").read_text(), re.M)
    completed = [(float(accuracy), cells) for _, accuracy, epochs, cells in rows if epochs == "10"]
    accuracy, cells = max(completed)
    best = models.resolved(load(ROOT / "experiments/cnn_sweep_best.py"))
    options = best["model_options"]
    expected = [best["optimizer"], f"{best['learning_rate']:.4g}", best["schedule"], str(best["batch_size"])]
    expected += [f"{options[key]:g}" for key in ("repeats", "convolution_dropout", "dropout", "l2")]
    assert [cell.strip() for cell in cells.split("|")] == expected
    record = json.loads((ROOT / "experiments/results/cnn_sweep_best/0.json").read_text())
    assert accuracy == pytest.approx(100 * record["history"][-1]["val_acc"], abs=0.005)


@pytest.mark.slow
@pytest.mark.timeout(900)  # trains and sweeps
def test_every_command_of_the_tutorial_works(tmp_path):
    pytest.importorskip("cv2", reason="needs fer-keras[faces]")
    blocks = re.findall(r"^```(bash|python)\n(.*?)^```", (ROOT / "docs/tutorial.md").read_text(), re.M | re.S)
    assert len(blocks) >= 9
    shutil.copytree(ROOT / "experiments", tmp_path / "experiments")
    path = os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path}
    environment.pop("FER_DATA", None)
    for language, text in blocks:
        interpreter = ["bash", "-euc"] if language == "bash" else [sys.executable, "-c"]
        done = subprocess.run([*interpreter, text], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"


def test_no_page_holds_the_marks_of_a_merge():
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")]:
        assert not re.search(r"^(<{7} |={7}$|>{7} )", page.read_text(encoding="utf-8"), re.M), page


OF_TODAY = [page for page in pages.PAGES if page.name != "CHANGELOG.md"]  # which names old options
COMMANDS = sorted({line for page in OF_TODAY for line in pages.commands(page.read_text(encoding="utf-8"))})


def test_every_command_of_the_pages_parses():
    assert len(COMMANDS) > 30
    for line in COMMANDS:
        pages.parse(line)


@pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_file_and_a_heading(page):
    for target in pages.links(page.read_text(encoding="utf-8")):
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.M)
            assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}, (
                target
            )


def test_table_of_the_architecture_has_every_folder_and_module():
    named = set(re.findall(r"^\| `(\w+(?:\.py|/))`", pages.read("docs/architecture.md"), re.M))
    package = ROOT / "fer_keras"
    folders = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    assert named == folders | {path.name for path in package.glob("*.py") if not path.name.startswith("__")}


def test_files_that_the_architecture_names_are_there():
    for name in re.findall(r"`(\w+/\w+(?:\.py)?)`", pages.read("docs/architecture.md")):
        assert (ROOT / "fer_keras" / name).exists() or (ROOT / name).exists(), name


@pytest.mark.parametrize("page", OF_TODAY, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_programs_of_the_pages_import_what_is_there(page):
    for program in re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S):
        if not program.startswith("--8<--"):
            imports = [node for node in ast.parse(program).body if isinstance(node, ast.Import | ast.ImportFrom)]
            exec(ast.unparse(ast.Module(imports, [])), {})


def test_pictures_are_small():
    sizes = {path.name: path.stat().st_size for path in ROOT.glob("docs/pictures/*")}
    assert sizes.keys() >= {"architecture.svg", "group.jpg", "study.png"} and max(sizes.values()) < 200_000
