"""The report, from results whose figures are worked out by hand."""

import html.parser
import json
import re

import pytest

from fer_keras import report, results
from fer_keras.errors import InputError

ENVIRONMENT = {
    "processor": "SOME CPU",
    "device": "cpu",
    "threads": 1,
    "backend": "torch",
    "backend_version": "2.13.0",
    "precision": "float32",
}


def result(name, seed, val_acc, test_acc):
    history = [
        {key: 0.1 for key in report.CURVES},
        {key: 0.2 for key in report.CURVES} | {"train_acc": 0.6, "val_acc": val_acc, "val_loss": None},
    ]
    return {
        "experiment": {"name": name, "seed": seed},
        "data": {"source": "fer2013.csv", "digest": "d", "demo": False, "images": {"train": 25838, "test": 3589}},
        "environment": ENVIRONMENT,
        "cost": {"parameters": 2367495, "minutes": 1.5},
        "overfit": {
            "verdict": "learns well",
            "epochs_to_zero": 45,
            "losses": [2.0, 0.05],
            "text": "Learns well </script><b>",
        },
        "history": history,
        "gradient_ratios": {"dense_1": [1.0, 3.0], "logits": [9.0, 7.0]},
        "scores": {
            "accuracy": test_acc,
            "macro_f1": 0.3,
            "leak_free_accuracy": test_acc - 0.01,
            "confusion": [[seed] * 7 for _ in range(7)],
        },
    }


def found():
    return {
        "nn_1_layer": [result("1-Layer-NN", s, a, a + 0.01) for s, a in enumerate((0.40, 0.42, 0.44))],
        "nn_2_1024_layer": [result("2-1024-Layer-NN", s, a, 0.4) for s, a in enumerate((0.41, 0.43, 0.45))],
        "nn_3_1024_layer": [result("3-1024-Layer-NN", s, a, 0.4) for s, a in enumerate((0.30, 0.32, 0.34))],
    }


def write_results(folder):
    for stem, group in found().items():
        for one in group:
            results.write(results.path(folder, stem, one["experiment"]["seed"]), one)


def test_leaderboard_is_sorted_by_validation():
    lines = report.leaderboard(found()).splitlines()
    assert len(lines) == 2 + 3
    assert lines[2].startswith(
        "| [2-1024-Layer-NN](experiments/nn_2_1024_layer.py) | 1 | 2,367,495 | 3 | 43.00 ± 2.00 "
    )
    # 0.41, 0.43, 0.45: mean 0.43, SD 0.02; leak-free a point less; gaps 0.20, 0.18, 0.16.
    assert lines[3] == (
        "| [1-Layer-NN](experiments/nn_1_layer.py) | 1 | 2,367,495 | 3 | 42.00 ± 2.00 | 43.00 ± 2.00 "
        "| 42.00 ± 2.00 | 30.00 ± 0.00 | 18.00 ± 2.00 | 1.5 |"
    )


def test_one_seed_has_no_spread():
    assert report.spread([0.4123]) == "41.23"
    assert report.spread([]) == ""


def test_findings_table():
    (line,) = [line for line in report.findings(found()).splitlines() if "Three layers are worst" in line]
    # Every seed is 10 points below one layer and 11 below two; the interval has no width.
    assert line == (
        "| 1 | Three layers are worst. | **holds** | validation accuracy after the last epoch:<br>"
        "3-1024-Layer-NN − 1-Layer-NN: -10.00 points (-10.00 to -10.00), SD 0.00, 3 seeds<br>"
        "3-1024-Layer-NN − 2-1024-Layer-NN: -11.00 points (-11.00 to -11.00), SD 0.00, 3 seeds |"
    )


def test_finding_without_results_cannot_be_told():
    (line,) = [line for line in report.findings(found()).splitlines() if "reaches 0.60" in line]
    assert "| **cannot be told** |" in line
    assert line.endswith("3-2-Best − 60 %: not run with the same seeds |")


def test_about_names_machine_data_and_hours():
    text = " ".join(report.about(found()).split())
    # 9 trainings of 1.5 minutes are 0.225 hours.
    assert text.startswith(
        "3 runs, 9 trainings, 0.2 hours of training in all, each on SOME CPU, 1 thread, torch 2.13.0, float32. "
        "Data: fer2013.csv (25,838 train, 3,589 test images)."
    )


def test_demo_results_say_so():
    demo = found()
    for group in demo.values():
        for one in group:
            one["data"]["demo"] = True
    assert report.about(demo).startswith("DRAWN DEMO FACES, not FER-2013")


class Page(html.parser.HTMLParser):
    """Collects ids, addresses and the content of the elements by tag."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.addresses, self.content, self.tag = [], [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tag, attributes = tag, dict(attributes)
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.addresses += [value for key, value in attributes.items() if key in ("src", "href", "action")]

    def handle_data(self, text):
        self.content.append((self.tag, text))


def test_page_stands_alone_and_carries_the_data():
    text = report.html(found())
    page = Page(text)
    assert {"leaderboard", "findings", "curves", "detail", "filter", "verdict-filter"} <= set(page.ids)
    assert len(set(page.ids)) == len(page.ids)
    assert all(address.startswith(("#", "data:")) for address in page.addresses)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    scripts = [content for tag, content in page.content if tag == "script" and content.strip()]
    data = json.loads(scripts[0])
    assert data == json.loads(json.dumps(report.page_data(found())))
    assert data["runs"][0]["checks"][0] == "Learns well </script><b>"


def test_page_data():
    data = report.page_data(found())
    run = data["runs"][1]
    assert (run["name"], run["step"], run["seeds"]) == ("1-Layer-NN", 1, [0, 1, 2])
    assert run["curves"]["val_acc"] == [[0.1, 0.4], [0.1, 0.42], [0.1, 0.44]]
    assert run["curves"]["val_loss"] == [[0.1, None]] * 3
    assert run["curves"]["overfit"] == [[2.0, 0.05]] * 3
    assert run["ratios"][0] == {"dense_1": [1.0, 3.0], "logits": [9.0, 7.0]}
    assert run["confusion"] == [[0 + 1 + 2] * 7] * 7
    finding = data["findings"][0]
    assert (finding["verdict"], finding["claimed"]) == ("holds", [None, 0.0])
    assert finding["pairs"][0]["mean"] == pytest.approx(-0.1)
    # Step 10 adds one run; its curves are shown with the run that it is compared with.
    assert data["steps"][9]["runs"] == [
        "3-1-Up-Maxpool-Dropout-Layernorm-CNN-image-flip",
        "3-1-Up-Maxpool-Dropout-Layernorm-CNN",
    ]


def test_write(tmp_path):
    write_results(tmp_path / "results")
    page, text, table = report.write(tmp_path / "results", tmp_path / "out")
    assert page.read_text(encoding="utf-8") == report.html(found())
    assert text.read_text(encoding="utf-8") == report.markdown(found())
    assert table.read_text(encoding="utf-8") == report.frame(found()).to_csv(index=False)


def test_frame_has_a_row_for_each_run_and_seed():
    frame = report.frame(found())
    assert list(frame.columns[:4]) == ["run", "step", "parameters", "seed"]
    for row in report.rows(found()):
        mine = frame[frame["run"] == row["name"]]
        assert list(mine["seed"]) == row["seeds"]
        assert list(mine["val_acc"]) == row["figures"]["val_acc"]


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
        "(3 seeds); 1.5\n          minutes on SOME CPU, 1 thread, torch 2.13.0, float32.\n"
    )
    for _ in range(2):
        report.write_result_lines(tmp_path, group)
        assert file.read_text(encoding="utf-8") == expected
    group["nn_1_layer"] = group["nn_1_layer"][:1]
    report.write_result_lines(tmp_path, group)
    assert "accuracy 41.00 %, validation 40.00 %, gap 20.00 points (1 seed)" in file.read_text(encoding="utf-8")


def test_section_of_a_file(tmp_path):
    file = tmp_path / "README.md"
    file.write_text("before\n<!-- results -->\nold\n<!-- end of results -->\nafter\n")
    report.write_section(file, "results", "new")
    report.write_section(file, "results", "new")
    assert file.read_text() == "before\n<!-- results -->\n\nnew\n\n<!-- end of results -->\nafter\n"
    with pytest.raises(InputError, match="has no lines '<!-- runs -->'"):
        report.write_section(file, "runs", "new")
