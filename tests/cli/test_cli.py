"""The command line: text, exit codes, what it imports."""

import dataclasses
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from helpers import data_forms
from PIL import Image

from fer_keras.cli import cli
from fer_keras.inference import prediction
from fer_keras.model_files import saving

ROOT = pathlib.Path(__file__).parents[2]
TINY = """
from fer_keras import Experiment, main

experiment = Experiment(name="tiny", model_options={"units": (4,)}, epochs=1, batch_size=32)

if __name__ == "__main__":
    main()
"""


def call(*words):
    return CliRunner().invoke(cli, [str(word) for word in words])


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / "tiny.py"
    path.write_text(TINY)
    return path


def commands(group=cli, words=()):
    for name, command in group.commands.items():
        yield (*words, name)
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_every_command_has_help_with_an_example(words):
    result = call(*words, "--help")
    assert result.exit_code == 0
    assert result.output.startswith("Usage: cli " + " ".join(words))
    if words != ("data",):
        assert "fer-keras " + " ".join(words) in result.output.replace("\b", "")


def test_help_imports_neither_keras_nor_numpy():
    code = (
        "import sys; from fer_keras.cli import cli\n"
        "try: cli(['--help'])\n"
        "except SystemExit: print(sorted({'keras', 'numpy', 'torch', 'wandb'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


def test_show_prints_defaults_too(tiny):
    settings = json.loads(call("show", tiny).output)
    assert settings["name"] == "tiny"
    assert settings["optimizer"] == "adam"
    assert settings["model_options"] == {
        "units": [4],
        "normalization": None,
        "activation": "relu",
        "dropout": 0.0,
        "l2": 0.0,
        "initialization": "pytorch",
        "momentum": 0.9,
        "epsilon": 1e-5,
        "negative_slope": 0.01,
    }


def test_list_tells_the_questions():
    result = call("list", ROOT / "experiments")
    assert f"{ROOT / 'experiments' / 'cnn_best.py'}  3-2-Best" in result.output
    assert "    Which convolutional network is the best?" in result.output


@pytest.mark.parametrize(
    "words, message",
    [
        (("run", "no.py"), "No experiment file 'no.py'. Expected a path such as experiments/cnn_best.py."),
        (("show", "no.py"), "No experiment file 'no.py'."),
        (("list", "no"), "No experiment files in 'no'. Those of the study are in the folder experiments"),
        (("evaluate", "no.keras"), "No model file 'no.keras'."),
        (("data", "audit", "--data", "no.csv"), "There is no no.csv."),
        (("study", "no-such-run", "--data", "synthetic"), "No run 'no-such-run' in the study."),
        (("report", "--results", "no"), "No results in 'no'."),
    ],
)
def test_what_is_not_there_is_one_line_and_exit_code_2(words, message, monkeypatch):
    if words[0] == "study":
        monkeypatch.chdir(ROOT)
    result = call(*words)
    assert result.exit_code == 2
    assert len(result.output.splitlines()) == 1
    assert result.output.startswith(f"Error: {message}")


@pytest.mark.parametrize(
    "word, command",
    [("training", "run"), ("video", "predict"), ("webcam", "predict --camera"), ("download", "data fetch")]
    + [("audit", "data audit"), ("validate", "evaluate")],
)
def test_other_words_suggest_a_command(word, command):
    assert f"No such command {word!r}. Did you mean {command!r}?" in call(word).output


def test_a_bad_pixel_is_told_by_its_line_and_leaves_nothing(tiny, tmp_path):
    data = tmp_path / "fer2013.csv"
    data.write_text("emotion,pixels,Usage\n0," + " ".join(["300"] * 2304) + ",Training\n")
    result = call("run", tiny, "--data", data, "--output", tmp_path / "runs", "--wandb", "disabled")
    assert result.exit_code == 2
    assert len(result.output.splitlines()) == 1
    assert f"{data}, line 2" in result.output
    assert not (tmp_path / "runs").exists()


def test_a_full_disk_is_one_line(tiny, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device", str(tmp_path))

    monkeypatch.setattr("fer_keras.core.files.os.replace", full)
    result = call("run", tiny, "--data", "synthetic", "--output", tmp_path / "runs", "--wandb", "disabled")
    assert result.exit_code == 2
    assert result.output.splitlines()[-1] == f"Error: [Errno 28] No space left on device: '{tmp_path}'"


def test_completion_script_of_each_shell():
    for shell in ("bash", "zsh", "fish"):
        assert "_FER_KERAS_COMPLETE" in call("completion", shell).output


@pytest.fixture
def small_data(tmp_path):
    """210 random faces in the three official usages."""
    return data_forms.write_csv(tmp_path / "fer2013.csv", data_forms.tiny((140, 35, 35)))


def test_run_overfit_evaluate_audit(tiny, small_data, tmp_path):
    result = call("run", tiny, "--data", small_data, "--output", tmp_path / "runs", "--wandb", "disabled")
    assert result.exit_code == 0, result.output
    assert "tiny on the test split\nimages              35\n" in result.output
    folder = pathlib.Path(result.output.splitlines()[-1].removeprefix("record: "))
    assert folder.parent == tmp_path / "runs" / "tiny"
    accuracy = json.loads((folder / "scores.json").read_text())["accuracy"]
    assert f"accuracy            {accuracy:.4f}" in result.output

    result = call("evaluate", folder / "model.keras", "--data", small_data)
    assert result.exit_code == 0, result.output
    judged = json.loads((folder / "model_test" / "scores.json").read_text())
    assert judged["scores"]["accuracy"] == accuracy
    assert (folder / "model_test" / "confusion_matrix_curve.png").stat().st_size > 10_000

    result = call(
        "evaluate", folder / "model.keras", "--data", small_data, "--split", "validation", "--tta", "flip"
    )
    assert "on the validation split, test-time augmentation: flip" in result.output
    result = call("evaluate", folder / "model.keras", "--data", small_data, "--tta", "ten-crop")
    assert "on the test split, test-time augmentation: ten-crop" in result.output

    result = call("overfit", tiny, "--data", small_data)
    assert "training loss on one fixed batch from" in result.output

    result = call("data", "audit", "--data", small_data, "--output", tmp_path / "audit")
    assert result.exit_code == 0, result.output
    assert {path.name for path in (tmp_path / "audit").iterdir()} == {"audit.json", "audit.png"}


def test_evaluate_writes_the_figures_of_each_data_set_into_its_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for count, name in ((140, "first.csv"), (147, "second.csv"), (154, "icml_face_data.csv")):
        data_forms.write_csv(tmp_path / name, data_forms.tiny((count, 35, count - 100)))
        assert call("evaluate", "tiny", "--data", name).exit_code == 0
    (tmp_path / "set").mkdir()
    data_forms.write_csv(tmp_path / "set" / "faces.csv", data_forms.tiny((140, 35, 61)))
    monkeypatch.chdir(tmp_path / "set")
    assert call("evaluate", "tiny", "--data", ".").exit_code == 0
    folders = ["tiny_first.csv_test", "tiny_second.csv_test", "tiny_test", "set/tiny_set_test"]
    found = [json.loads((tmp_path / folder / "scores.json").read_text())["scores"] for folder in folders]
    assert [scores["images"] for scores in found] == [40, 47, 54, 61]


def test_evaluate_by_ten_crops(small_data, tmp_path):
    import keras

    layers = keras.layers
    stack = [
        keras.Input((48, 48, 1)),
        layers.Rescaling(1 / 255),
        layers.Cropping2D(4),
        layers.Flatten(),
        layers.Dense(7, "softmax"),
    ]
    keras.Sequential(stack).save(tmp_path / "model.keras")
    words = ("--data", small_data, "--class-order", "fer2013", "--tta", "ten-crop")
    result = call("evaluate", tmp_path / "model.keras", *words)
    assert (
        "model.keras on the test split, test-time augmentation: ten-crop\nimages              35\n"
        in result.output
    )
    assert json.loads((tmp_path / "model_test_ten-crop" / "scores.json").read_text())["tta"] == "ten-crop"


def test_evaluate_wants_to_know_the_order_of_the_classes(small_data, tmp_path):
    import keras

    layers = [
        keras.Input((48, 48, 1)),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Flatten(),
        keras.layers.Dense(7, activation="softmax"),
    ]
    keras.Sequential(layers).save(tmp_path / "model.keras")
    words = ("evaluate", tmp_path / "model.keras", "--data", small_data)
    result = call(*words)
    assert result.exit_code == 2
    assert "does not name its 7 classes. Give them with --class-order" in result.output
    result = call(*words, "--class-order", "alphabet")
    assert result.exit_code == 2
    assert "The order of the classes must be fer2013, alphabetical, or the names" in result.output
    confusions = {}
    for order in ("fer2013", "alphabetical"):
        assert call(*words, "--class-order", order).exit_code == 0
        scores = json.loads((tmp_path / "model_test" / "scores.json").read_text())["scores"]
        confusions[order] = [[row[code] for code in (0, 1, 2, 3, 4, 5, 6)] for row in scores["confusion"]]
    # What fer2013 calls 4 sad, 5 surprise, 6 neutral, alphabetical calls neutral, sad, surprise.
    moved = [[row[code] for code in (0, 1, 2, 3, 6, 4, 5)] for row in confusions["alphabetical"]]
    assert moved == confusions["fer2013"]


def test_evaluate_splits_by_the_seed_of_the_run(tiny, tmp_path):
    data = data_forms.write_csv(tmp_path / "fer2013.csv", data_forms.tiny((140, 35, 0)))
    words = ("--data", data, "--output", tmp_path / "runs", "--wandb", "disabled")
    folder = pathlib.Path(call("run", tiny, "--seed", 5, *words).output.splitlines()[-1].removeprefix("record: "))
    last = json.loads((folder / "history.jsonl").read_text().splitlines()[-1])
    call("evaluate", folder / "model.keras", "--data", data, "--split", "validation")
    judged = json.loads((folder / "model_validation" / "scores.json").read_text())
    assert judged["seed"] == 5
    assert judged["scores"]["accuracy"] == pytest.approx(last["val_acc"])
    call("evaluate", folder / "model.keras", "--data", data, "--seed", 1)
    assert json.loads((folder / "model_test" / "scores.json").read_text())["seed"] == 1


def test_evaluate_takes_the_labels_of_the_run_unless_told(tiny, tmp_path):
    faces = data_forms.tiny((140, 35, 35))
    votes = np.zeros((210, 10), int)
    votes[:, 0] = 10  # everyone sees a neutral face
    votes[-1] = [5, 5, *[0] * 8]
    data_forms.write_votes(tmp_path / "fer2013new.csv", faces, votes)
    data = data_forms.write_csv(tmp_path / "fer2013.csv", faces)
    result = call("run", tiny, "labels=fer+", "--data", data, "--output", tmp_path / "runs", "--wandb", "disabled")
    folder = pathlib.Path(result.output.splitlines()[-1].removeprefix("record: "))
    result = call("evaluate", folder / "model.keras", "--data", data)
    assert "model.keras on the test split, FER+ labels\n" in result.output
    assert "trained on other data" not in result.stderr
    judged = json.loads((folder / "model_test_ferplus" / "scores.json").read_text())
    assert judged["labels"] == "fer+" and judged["scores"]["images"] == 34
    assert judged["scores"]["accuracy"] == json.loads((folder / "scores.json").read_text())["accuracy"]
    result = call("evaluate", folder / "model.keras", "--data", data, "--labels", "original")
    assert "was trained on other data" in result.stderr
    judged = json.loads((folder / "model_test" / "scores.json").read_text())
    assert judged["labels"] == "original" and judged["scores"]["images"] == 35


def test_evaluate_an_ensemble(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    faces = data_forms.tiny((140, 35, 0))
    data = data_forms.write_csv(tmp_path / "fer2013.csv", faces)
    words = ("--data", data, "--output", tmp_path / "runs", "--wandb", "disabled")
    models = []
    for changes in ((), ("learning_rate=0.1",), ("--seed", 5)):
        record = call("run", tiny, *changes, *words).output.splitlines()[-1].removeprefix("record: ")
        models.append(pathlib.Path(record, "model.keras"))
    result = call("evaluate", *models[:2], "--data", data, "--tta", "flip")
    assert "ensemble of 2 on the test split, test-time augmentation: flip\n" in result.output
    told = json.loads(pathlib.Path("ensemble_test_flip", "scores.json").read_text())
    images = faces.images[faces.usages == 1]
    both = sum(prediction.probabilities(saving.load(path), images, tta="flip") for path in models[:2])
    assert told["model"] == [str(path) for path in models[:2]]
    assert told["scores"]["accuracy"] == np.mean(both.argmax(axis=1) == faces.labels[faces.usages == 1])
    result = call("evaluate", *models, "--data", data)
    assert result.exit_code == 2
    assert (
        "The models are of runs with different seed: " in result.output and "Choose with --seed." in result.output
    )
    assert call("evaluate", *models, "--data", data, "--seed", 0).exit_code == 0


def test_doubts_are_told_before_figures(tiny, tmp_path):
    faces = data_forms.tiny((140, 35, 35))
    images = faces.images.copy()
    images[175:178] = images[0]
    data = data_forms.write_csv(tmp_path / "a.csv", dataclasses.replace(faces, images=images))
    words = ("--data", data, "--output", tmp_path / "runs", "--wandb", "disabled")
    result = call("run", tiny, *words)
    told = "3 of 35 test images are exact copies of train images; the leak-free figures leave them out."
    assert told in result.stderr.splitlines()
    model = pathlib.Path(result.stdout.splitlines()[-1].removeprefix("record: "), "model.keras")
    assert told in call("evaluate", model, "--data", data).stderr.splitlines()
    other = data_forms.write_csv(tmp_path / "b.csv", faces)
    result = call("evaluate", model, "--data", other)
    assert f"{model} was trained on other data, which may hold images of this test split." in result.stderr
    same = dataclasses.replace(faces, images=np.concatenate([faces.images[:140], faces.images[:70]]))
    result = call("run", tiny, *words[2:], "--data", data_forms.write_csv(tmp_path / "c.csv", same))
    assert result.exit_code == 2
    assert "Every image of the validation split is also in the train split" in result.output


def test_the_demo_is_announced_and_kept_apart(tiny, tmp_path):
    result = call("run", tiny, "--output", tmp_path / "runs", "--wandb", "disabled")
    assert result.exit_code == 0, result.output
    assert "tiny on the test split of the SYNTHETIC faces" in result.output
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["synthetic"]


def test_an_experiment_file_does_what_run_does(tiny, small_data, tmp_path):
    words = ["--data", str(small_data), "--output", str(tmp_path / "runs"), "--wandb", "disabled"]
    done = subprocess.run([sys.executable, tiny, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "tiny on the test split" in done.stdout
    missing = subprocess.run([sys.executable, tiny, "--data", "no.csv"], capture_output=True, text=True)
    assert missing.returncode == 2
    assert "Traceback" not in missing.stderr


def test_audit_names_what_it_skipped_and_takes_other_classes(tmp_path):
    for name in ("happy", "contempt"):
        for i in range(3):
            path = tmp_path / "set" / name / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data_forms.png(data_forms.tiny().images[i]))
    arguments = ("data", "audit", "--data", tmp_path / "set", "--output", tmp_path)
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    assert "Images not read: 3 (class 'contempt' is not among the classes; such as" in result.output
    assert json.loads((tmp_path / "audit.json").read_text())["skipped"]
    result = call(*arguments, "--classes", "own")
    assert "unknown: 6 images: 3 contempt, 3 happy" in result.output and "not read" not in result.output


@pytest.mark.slow
def test_every_command_that_reads_data_takes_how_to_read_them(tiny, tmp_path):
    """Numbered folders of 12-bit images, which need --label-codes; --bit-depth 16 makes them almost black."""
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for number in range(1, 8):
            (tmp_path / "set" / split / str(number)).mkdir(parents=True)
            for i in range(4):
                grey = rng.integers(0, 4096, (48, 48)).astype(np.uint16)
                Image.fromarray(grey).save(tmp_path / "set" / split / str(number) / f"{i}.png")
    data = ("--data", tmp_path / "set")
    assert "has numbered class folders" in call("overfit", tiny, *data).output
    how = (*data, "--label-codes", "raf-db", "--bit-depth", "16", "--classes", "happy,sad,neutral")
    done = call("run", tiny, *how, "--output", tmp_path / "runs", "--wandb", "disabled")
    assert done.exit_code == 0 and "24 integer images of up to 16 bits were read as 16-bit as given" in done.output
    (model,) = (tmp_path / "runs").glob("*/*/model.keras")
    scores = call("evaluate", model, *how, "--output", tmp_path / "scores")
    assert scores.exit_code == 0, scores.output
    digest = json.loads((tmp_path / "scores" / "scores.json").read_text())["data"]["digest"]
    assert digest == json.loads((model.parent / "run.json").read_text())["data"]["digest"]
    for words in (("evaluate", model, *data), ("release", model.parent, "x", *data, "--output", tmp_path)):
        assert "has numbered class folders" in call(*words).output
    other = (*data, "--label-codes", "raf-db", "--bit-depth", "12")  # its classes are those of the record
    assert "was trained on data with digest" in call("release", model.parent, "x", *other).output
    assert "There is no folder" in call("finetune", tmp_path / "none", *how[2:]).output
