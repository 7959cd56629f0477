"""Damaged and invented input: whatever comes in, only `InputError` comes out.

A short run of fixed examples is part of CI; `FUZZ_EXAMPLES=5000 pytest -sm slow tests/test_fuzz.py` tries so many
new ones for each test and prints how many were refused.
"""

import io
import json
import string
import warnings
import zipfile

import numpy as np
import pytest
import yaml
from helpers import data_forms, hostile
from helpers.fuzzing import EDITS, damaged, fuzz
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fer_keras import Experiment
from fer_keras.core.errors import InputError
from fer_keras.data import load
from fer_keras.data.votes import read_votes
from fer_keras.experiment import override
from fer_keras.model_files import saving
from fer_keras.runs import records

FACES = data_forms.tiny((3, 1, 1))
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def figures():
    counts = {}
    yield counts
    for name, (tried, refused) in counts.items():
        print(f"\n{name}: {tried} inputs, {refused} refused, the others taken; nothing but InputError", end="")


@pytest.fixture
def tell(request, figures):
    """Calls a function, which may raise nothing but `InputError` of one line."""

    def call(function, *arguments):
        tried, refused = figures.get(request.node.name, (0, 0))
        figures[request.node.name] = (tried + 1, refused)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                function(*arguments)
        except InputError as error:
            assert str(error) and "\n" not in str(error), error
            figures[request.node.name] = (tried + 1, refused + 1)

    return call


# Values that configurations are not written for, and words with a meaning in some of them.
WORDS = st.sampled_from(
    [*("Dense", "Lambda", "Functional", "Sequential", "Add", "function", "__lambda__", "__numpy__", "float64"),
     *("relu", "keras", "keras.layers", "keras.src.ops.numpy", "builtins", "os", "../x", "", "same"),
     *("min", "max", "values", "bayes", "uniform", "val_loss", "q_uniform", "cnn", "seed")]
)  # fmt: skip
LEAVES = st.one_of(
    *(st.none(), st.booleans(), st.floats(), WORDS, st.text(max_size=6)),
    st.sampled_from([0, -1, 1, 2, 3, 7, 48, 1000, 10**6, 2**31, 2**63, 10**30]),
)
TREES = st.recursive(
    LEAVES, lambda t: st.lists(t, max_size=3) | st.dictionaries(WORDS, t, max_size=3), max_leaves=5
)


@st.composite
def changed(draw, tree):
    """`tree` of JSON with one to three of its values replaced, taken away or taken from elsewhere in it."""
    tree = json.loads(json.dumps(tree))
    for _ in range(draw(st.integers(1, 3))):
        places = list(walk(tree))
        holder, key = draw(st.sampled_from(places))
        other, other_key = draw(st.sampled_from(places))
        kind = draw(st.sampled_from(["new", "new", "copy", "remove"]))
        if kind == "new":
            holder[key] = draw(TREES)
        elif kind == "copy":
            holder[key] = json.loads(json.dumps(other[other_key]))
        else:
            del holder[key]
        if not list(walk(tree)):
            break
    return tree


def walk(tree):
    items = (
        list(tree.items()) if isinstance(tree, dict) else list(enumerate(tree)) if isinstance(tree, list) else []
    )
    for key, value in items:
        yield tree, key
        yield from walk(value)


HONEST = hostile.honest()
CONFIG = json.loads(HONEST[hostile.CONFIG])


@fuzz(60)
@given(edits=EDITS, compression=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
def test_bytes_of_a_model_file(tell, tmp_path_factory, edits, compression):
    path = tmp_path_factory.getbasetemp() / "bytes.keras"
    hostile.pack(path, HONEST, compression)
    path.write_bytes(damaged(path.read_bytes(), edits))
    tell(saving.load, path)


@fuzz(60)
@given(edits=EDITS)
def test_weights_of_a_model_file(tell, tmp_path_factory, edits):
    path = tmp_path_factory.getbasetemp() / "weights.keras"
    hostile.pack(path, HONEST | {hostile.WEIGHTS: damaged(HONEST[hostile.WEIGHTS], edits)})
    tell(saving.load, path)


@fuzz(120)
@given(config=changed(CONFIG))
def test_configuration_of_a_model_file(tell, tmp_path_factory, config):
    path = tmp_path_factory.getbasetemp() / "config.keras"
    hostile.pack(path, HONEST | {hostile.CONFIG: json.dumps(config)})
    tell(saving.load, path)


def packed(folder, form):
    """Return the bytes of a tiny data set in `form`, and the suffix of its file."""
    if form == "csv":
        return data_forms.write_csv(folder / "faces.csv", FACES).read_bytes(), ".csv"
    if form == "parquet":
        rows = {"image": [image.ravel().tolist() for image in FACES.images], "label": FACES.labels.tolist()}
        return data_forms.parquet(folder / "faces.parquet", rows).read_bytes(), ".parquet"
    data_forms.write_folders(folder / "faces", FACES)
    if form == "zip":
        return data_forms.pack_zip(folder / "faces.zip", folder / "faces").read_bytes(), ".zip"
    mode = {"tar": "w", "tar.gz": "w:gz", "tar.xz": "w:xz"}[form]
    return data_forms.pack_tar(folder / f"faces.{form}", folder / "faces", mode).read_bytes(), f".{form}"


@pytest.mark.parametrize("form", ["csv", "parquet", "zip", "tar", "tar.gz", "tar.xz"])
def test_bytes_of_data(tell, tmp_path, form):
    if form == "parquet":
        pytest.importorskip("pyarrow")
    content, suffix = packed(tmp_path, form)
    path = tmp_path / f"damaged{suffix}"

    @fuzz(60)
    @given(edits=EDITS)
    def each(edits):
        path.write_bytes(damaged(content, edits))
        tell(load, path)

    each()


CELL = st.one_of(
    st.text(max_size=5), st.sampled_from(["0", "6", "7", "-1", "1e9", "nan", "Training", '"', "\0", "0 " * 2304])
)


@fuzz(120)
@given(
    rows=st.lists(st.lists(CELL, min_size=1, max_size=4), max_size=3),
    header=st.permutations(["emotion", "pixels", "Usage"]),
)
def test_cells_of_a_csv(tell, tmp_path_factory, rows, header):
    path = tmp_path_factory.getbasetemp() / "cells.csv"
    path.write_text(
        "\n".join([",".join(header), *(",".join(row) for row in rows)]), encoding="utf-8", errors="replace"
    )
    tell(load, path)


@fuzz(60)
@given(edits=EDITS)
def test_bytes_of_votes(tell, tmp_path_factory, edits):
    path = tmp_path_factory.getbasetemp() / "fer2013new.csv"
    data_forms.write_votes(path, FACES, np.eye(10, dtype=int)[:5])
    path.write_bytes(damaged(path.read_bytes(), edits))
    tell(read_votes, path)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_bytes_of_a_photograph(tell, form):
    photos = pytest.importorskip("fer_keras.recognition.photos")
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 20, 3)).astype("uint8")).save(buffer, form)

    @fuzz(100)
    @given(edits=EDITS)
    def each(edits):
        tell(photos.read, damaged(buffer.getvalue(), edits))

    each()


SWEEP = {
    "name": "s",
    "program": "PROGRAM",
    "method": "bayes",
    "run_cap": 5,
    "metric": {"name": "val_acc", "goal": "maximize"},
    "early_terminate": {"type": "hyperband", "min_iter": 2, "eta": 3},
    "parameters": {
        "learning_rate": {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-2},
        "model_options.dropout": {"distribution": "q_uniform", "min": 0.1, "max": 0.5, "q": 0.1},
        "batch_size": {"values": [32, 64]},
        "epochs": {"value": 3},
    },
}


def program(folder):
    """Return the path of an experiment file in `folder`."""
    path = folder / "program.py"
    path.write_text("from fer_keras import Experiment\nexperiment = Experiment(name='x', epochs=2)\n")
    return str(path)


@fuzz(300)
@given(tree=changed(SWEEP))
def test_sweep_file(tell, tmp_path_factory, tree):
    sweep = pytest.importorskip("fer_keras.sweep.file")
    folder = tmp_path_factory.getbasetemp()
    if isinstance(tree, dict) and tree.get("program") == "PROGRAM":
        tree["program"] = program(folder)
    (folder / "sweep.yaml").write_text(yaml.safe_dump(tree))
    tell(sweep.load, folder / "sweep.yaml")


@fuzz(100)
@given(edits=EDITS)
def test_bytes_of_a_sweep_file(tell, tmp_path_factory, edits):
    sweep = pytest.importorskip("fer_keras.sweep.file")
    path = tmp_path_factory.getbasetemp() / "bytes.yaml"
    path.write_bytes(damaged(yaml.safe_dump(SWEEP | {"program": program(path.parent)}).encode(), edits))
    tell(sweep.load, path)


FIELDS = [field for field in Experiment.__dataclass_fields__] + [
    "model_options.x",
    "optimizer_options.x",
    "seed.x",
    "",
    "x",
]


@fuzz(400)
@given(
    settings=st.lists(
        st.builds(
            "{}={}".format,
            st.sampled_from(FIELDS),
            st.one_of(TREES.map(repr), st.text(max_size=12), st.text("([{-'\"\\0x.e,}])", max_size=40)),
        )
        | st.text(string.printable, max_size=20),
        min_size=1,
        max_size=3,
    )
)
def test_settings_of_an_experiment(tell, settings):
    tell(override, Experiment(name="x"), settings)


@fuzz(100)
@given(edits=EDITS, name=st.sampled_from(["run.json", "history.jsonl", "scores.json", "overfit.json"]))
def test_bytes_of_a_record(tell, tmp_path_factory, edits, name):
    folder = tmp_path_factory.getbasetemp() / "record"
    folder.mkdir(exist_ok=True)
    contents = {
        "run.json": {"experiment": {}, "data": {}, "environment": {}},
        **{
            "history.jsonl": {"epoch": 1, "loss": 0.5},
            "scores.json": {"accuracy": 0.5},
            "overfit.json": {"text": "x"},
        },
    }
    for file, content in contents.items():
        text = (json.dumps(content) + "\n").encode()
        (folder / file).write_bytes(damaged(text, edits) if file == name else text)
    tell(records.read, folder)
