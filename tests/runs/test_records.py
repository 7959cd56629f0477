import json
import math
import multiprocessing
import re

import numpy as np
import pytest

from fer_keras.core.errors import InputError
from fer_keras.runs import records

EXPERIMENT = {"name": "3-2-Best", "model_options": {"filters": (32, 64)}, "seed": 0}
DATA = {"source": "fer2013.csv", "digest": "abc", "synthetic": False, "counts": {"train": 3}}

RUN = {"experiment": EXPERIMENT, "data": DATA, "environment": {}}
SCORES = {
    **{"images": 2, "accuracy": 0.5, "macro_f1": 0.5, "loss": 1.0, "calibration_error": 0.1, "confusion": [[2]]},
    **{"leak_free_images": 0, "leak_free_accuracy": None},
}


def changed(**parts):
    return json.dumps(RUN | parts)


def new(root, experiment=EXPERIMENT, data=DATA):
    return records.create(root, experiment, data, {"cores": 2})


def test_directory_is_named_after_run_and_time(tmp_path):
    folder = new(tmp_path)
    assert folder.parent == tmp_path / "3-2-Best"
    assert re.fullmatch(r"\d{8}-\d{6}", folder.name)
    assert new(tmp_path, data=DATA | {"synthetic": True}).parent == tmp_path / "synthetic" / "3-2-Best"


def test_record_is_what_was_written(tmp_path):
    folder = new(tmp_path)
    assert not records.is_complete(folder)
    records.append(folder / records.HISTORY, {"epoch": 1, "train_loss": math.nan, "val_loss": np.float32(0.5)})
    overfit = {"text": "Learns well.", "verdict": "learns well", "epochs_to_zero": None}
    records.write(folder, "overfit", {**overfit, "losses": [1.0, math.inf]})
    assert records.read(folder)["scores"] is None
    records.write(folder, "scores", {**SCORES, "confusion": np.eye(2, dtype="int64")})
    assert records.is_complete(folder)
    assert records.read(folder) == {
        "experiment": {"name": "3-2-Best", "model_options": {"filters": [32, 64]}, "seed": 0},
        "data": DATA,
        "environment": {"cores": 2},
        "overfit": {**overfit, "losses": [1.0, None]},
        "history": [{"epoch": 1, "train_loss": None, "val_loss": 0.5}],
        "scores": {**SCORES, "confusion": [[1, 0], [0, 1]]},
    }


def make(root, start, names):
    start.wait()
    names.put(new(root).name)


def test_processes_starting_together_get_directories_of_their_own(tmp_path):
    context = multiprocessing.get_context("spawn")
    start, names = context.Barrier(2), context.Queue()
    processes = [context.Process(target=make, args=(tmp_path, start, names)) for _ in range(2)]
    for process in processes:
        process.start()
    assert len({names.get(timeout=60) for _ in processes}) == 2
    for process in processes:
        process.join()


def test_same_second_gets_a_number(tmp_path):
    folders = [new(tmp_path) for _ in range(3)]
    assert len(set(folders)) == 3
    assert folders == sorted(folders)


def test_unfinished_run_is_found_by_experiment_and_data(tmp_path):
    assert records.find_unfinished(tmp_path, EXPERIMENT, DATA) is None
    older, newer = new(tmp_path), new(tmp_path)
    assert records.find_unfinished(tmp_path, EXPERIMENT, DATA | {"source": "elsewhere.csv"}) == newer
    assert records.find_unfinished(tmp_path, EXPERIMENT | {"seed": 1}, DATA) is None
    assert records.find_unfinished(tmp_path, EXPERIMENT | {"deduplicate": False}, DATA) == newer  # the default
    assert records.find_unfinished(tmp_path, EXPERIMENT | {"deduplicate": True}, DATA) is None
    assert records.find_unfinished(tmp_path, EXPERIMENT, DATA | {"teachers": ["abc"]}) is None
    assert records.find_unfinished(tmp_path, EXPERIMENT, DATA | {"digest": "other"}) is None
    assert records.find_unfinished(tmp_path, EXPERIMENT, DATA | {"synthetic": True}) is None
    records.write(newer, "scores", {})
    assert records.find_unfinished(tmp_path, EXPERIMENT, DATA) == older


def test_older_run_keeps_the_settings_that_it_could_not_name(tmp_path):
    older = {"name": "3-2-Best", "model": "cnn", "model_options": {"dropout": 0.1}, "clean": True}
    folder = new(tmp_path, older)
    named = {"initialization": "keras", "momentum": 0.99, "epsilon": 1e-3, "negative_slope": 0.3}
    today = {"name": "3-2-Best", "model": "cnn", "model_options": {"dropout": 0.1} | named, "deduplicate": True}
    assert records.read(folder)["experiment"] == today
    assert records.find_unfinished(tmp_path, today, DATA) == folder
    faster = today | {"model_options": today["model_options"] | {"momentum": 0.9}}
    assert records.find_unfinished(tmp_path, faster, DATA) is None


def test_directory_of_a_run_killed_at_its_start_is_passed_over(tmp_path):
    (tmp_path / "3-2-Best" / "99990101-000000").mkdir(parents=True)
    assert records.find_unfinished(tmp_path, EXPERIMENT, DATA) is None


@pytest.mark.parametrize("torn", [b'{"epoch": 3, "tra', b"\0\0\0", b'{"epoch": 3}'])
def test_torn_last_line_is_dropped_and_written_over(tmp_path, torn):
    path = tmp_path / "history.jsonl"
    path.write_bytes(b'{"epoch": 1}\n{"epoch": 2}\n' + torn)
    assert records.rows(path) == [{"epoch": 1}, {"epoch": 2}]
    records.append(path, {"epoch": 4})
    assert path.read_bytes() == b'{"epoch": 1}\n{"epoch": 2}\n{"epoch": 4}\n'


def test_new_directory_and_new_lines_are_flushed_to_disk_by_name_too(tmp_path, monkeypatch):
    folders = []
    monkeypatch.setattr(records, "sync_folder", lambda folder: folders.append(str(folder)))
    folder = new(tmp_path)
    for epoch in (1, 2):
        records.append(folder / records.HISTORY, {"epoch": epoch})
    assert folders == [str(folder.parent), str(folder)]


def test_absent_lines_are_none(tmp_path):
    assert records.rows(tmp_path / "history.jsonl") == []


@pytest.mark.parametrize("line", [b"{oops", b"[1]", b"\xff\xfe", b'{"epoch": [1]}', b"{}", b"[" * 100_000])
def test_damaged_line_is_told_with_its_number(tmp_path, line):
    path = tmp_path / "history.jsonl"
    path.write_bytes(b'{"epoch": 1}\n' + line + b'\n{"epoch": 3}\n')
    with pytest.raises(InputError, match="history.jsonl line 2 is damaged"):
        records.rows(path)


def test_history_is_truncated_to_a_checkpoint(tmp_path):
    folder = new(tmp_path)
    for epoch in (1, 2, 3):
        records.append(folder / records.HISTORY, {"epoch": epoch})
        records.append(folder / records.HISTOGRAMS, {"epoch": epoch, "gradients": {}})
    records.truncate_history(folder, 2)
    assert [row["epoch"] for row in records.read(folder)["history"]] == [1, 2]
    assert [row["epoch"] for row in records.rows(folder / records.HISTOGRAMS)] == [1, 2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is not a run directory"),
        ("{", "run.json is damaged"),
        ('{"data": {}}', "run.json is damaged: 'experiment' is missing"),
        (changed(environment=None), "run.json is damaged: 'environment' is no JSON object"),
        (changed(experiment={}), "run.json is damaged: 'experiment.name' is missing"),
        (
            changed(experiment={"name": "a", "model": "nn", "model_options": [1]}),
            "'experiment.model_options' is",
        ),
        (changed(data={"digest": 7}), "run.json is damaged: 'data.digest' is 7, expected a text"),
        (changed(continued=[{}]), r"'continued\[0\].epochs' is missing"),
        (changed(continued="x"), "'continued' is no JSON list"),
        ("[" * 100_000, "run.json is damaged: "),
    ],
)
def test_what_is_no_record_is_told(tmp_path, content, message):
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    with pytest.raises(InputError, match=message):
        records.read(tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("overfit.json", {}, "overfit.json is damaged: 'text' is missing"),
        ("scores.json", {**SCORES, "accuracy": "x"}, "'accuracy' is 'x', expected a number"),
        (
            "scores.json",
            {**SCORES, "confusion": [[True]]},
            r"'confusion\[0\]\[0\]' is True, expected a whole",
        ),
        ("history.jsonl", {"epoch": 1, "val_acc": []}, r"history.jsonl is damaged: '\[0\].val_acc' is \[\]"),
    ],
)
def test_parts_of_other_types_are_told(tmp_path, file, content, message):
    (tmp_path / "run.json").write_text(changed())
    (tmp_path / file).write_text(json.dumps(content) + "\n")
    with pytest.raises(InputError, match=message):
        records.read(tmp_path)


def hold(folder, held, release):
    with records.locked(folder):
        held.set()
        release.wait()


def test_second_process_on_a_directory_is_told(tmp_path):
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    process = context.Process(target=hold, args=(tmp_path, held, release))
    process.start()
    assert held.wait(60)
    with pytest.raises(InputError, match=f"{tmp_path} is in use by another process"), records.locked(tmp_path):
        pass
    process.kill()
    process.join()
    with records.locked(tmp_path):  # a killed process holds nothing
        pass
