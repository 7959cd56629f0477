"""The report's files, and what it writes into README and the experiment files."""

import click.testing
import pytest
from helpers import data_forms
from helpers.report_results import FACES, found, write_results

from fer_keras.cli import cli
from fer_keras.core.errors import InputError
from fer_keras.study import report
from fer_keras.study.report import page, tables


def test_write(tmp_path):
    write_results(tmp_path / "results")
    html, text, table = report.write(tmp_path / "results", tmp_path / "out")
    assert html.read_text(encoding="utf-8") == page.html(found())
    assert text.read_text(encoding="utf-8") == report.markdown(found())
    assert table.read_text(encoding="utf-8") == tables.frame(found()).to_csv(index=False)


def test_write_with_faces(tmp_path):
    write_results(tmp_path / "results")
    html, *_ = report.write(tmp_path / "results", tmp_path / "out", FACES)
    assert html.read_text(encoding="utf-8") == page.html(found(), FACES)


def test_no_results(tmp_path):
    with pytest.raises(InputError, match="No results in .* Run `fer-keras study` first"):
        report.write(tmp_path, tmp_path)


DOCSTRING = (
    '"""1-Layer-NN: one.\n\nQuestion  Q?\nDiffers   from the protocol: x\n          and y.\n{result}"""\n\nx = 1\n'
)


def test_result_lines_are_added_and_replaced(tmp_path):
    file = tmp_path / "nn_1_layer.py"
    file.write_text(DOCSTRING.format(result=""))
    group = {"nn_1_layer": found()["nn_1_layer"]}
    # Validation 0.40, 0.42, 0.44; test a point more; gaps 0.20, 0.18, 0.16.
    expected = DOCSTRING.format(
        result="Result    test accuracy 43.00 ± 2.00 %, validation 42.00 ± 2.00 %, gap 18.00 ± 2.00 points "
        "(3 seeds of the\n          pilot); 1.5 minutes on SOME CPU, 1 thread, torch 2.13.0, float32.\n"
    )
    for _ in range(2):
        report.write_result_lines(tmp_path, group)
        assert file.read_text(encoding="utf-8") == expected
    group["nn_1_layer"] = group["nn_1_layer"][:1]
    report.write_result_lines(tmp_path, group)
    assert "accuracy 41.00 %, validation 40.00 %, gap 20.00 points (1 seed of" in file.read_text(encoding="utf-8")


def test_sections_of_a_file(tmp_path):
    file = tmp_path / "README.md"
    file.write_text("before\n<!-- results -->\nold\n<!-- end of results -->\nafter\n")
    report.write_sections(file, {"results": "new"})
    report.write_sections(file, {"results": "new"})
    written = "before\n<!-- results -->\n\nnew\n\n<!-- end of results -->\nafter\n"
    assert file.read_text() == written
    with pytest.raises(InputError, match="has no lines '<!-- runs -->'"):
        report.write_sections(file, {"results": "newer", "runs": "new"})
    assert file.read_text() == written


def test_the_command_shows_faces_only_where_data_is_named(tmp_path):
    write_results(tmp_path / "results")
    data = str(data_forms.write_csv(tmp_path / "fer.csv", FACES))
    words = ["report", "--results", str(tmp_path / "results"), "--output", str(tmp_path)]
    for extra, variable, faces in (([], None, None), (["--data", data], None, FACES), ([], data, FACES)):
        result = click.testing.CliRunner().invoke(cli, [*words, *extra], env={"FER_DATA": variable})
        assert result.exit_code == 0, result.output
        assert (tmp_path / "report.html").read_text(encoding="utf-8") == page.html(found(), faces)


def test_the_command_saves_in_wandb(tmp_path, monkeypatch):
    write_results(tmp_path / "results")
    monkeypatch.setattr(
        "fer_keras.study.report.publishing.publish",
        lambda results, project, faces: f"{project} of {len(results)}, faces: {faces}",
    )
    words = ["report", "--results", str(tmp_path / "results"), "--output", str(tmp_path), "--wandb", "team/fer"]
    result = click.testing.CliRunner().invoke(cli, words)
    assert result.output.splitlines()[-1] == "saved: team/fer of 3, faces: None"
