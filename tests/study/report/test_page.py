"""The page's content; tests/study/report/test_browser.py opens it."""

import base64
import html.parser
import io
import json
import re

import numpy as np
import pytest
from helpers.report_results import FACES, found, new_seeds, result
from PIL import Image

from fer_keras.core.errors import InputError
from fer_keras.data.faces import make_faces
from fer_keras.study.report import page


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
    text = page.html(found())
    parsed = Page(text)
    assert {"data-review", "beyond", "settings", "classes", "gradients", "parameters"} <= set(parsed.ids)
    assert {"leaderboard", "findings", "curves", "detail", "filter", "verdict-filter"} <= set(parsed.ids)
    assert len(set(parsed.ids)) == len(parsed.ids)
    assert all(address.startswith(("#", "data:")) for address in parsed.addresses)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    scripts = [content for tag, content in parsed.content if tag == "script" and content.strip()]
    data = json.loads(scripts[0])
    assert data == json.loads(json.dumps(page.content(found())))
    assert data["runs"][0]["checks"][0] == "Learns well </script><b>"


def test_content():
    data = page.content(found())
    run = data["runs"][1]
    assert (run["name"], run["step"], run["seeds"]) == ("1-Layer-NN", 1, [0, 1, 2])
    assert run["curves"]["val_acc"] == [[0.1, 0.4], [0.1, 0.42], [0.1, 0.44]]
    assert run["curves"]["val_loss"] == [[0.1, None]] * 3
    assert run["curves"]["overfit"] == [[2.0, 0.05]] * 3
    assert run["ratios"][0] == {"dense_1": [1.0, 3.0], "logits": [9.0, 7.0]}
    assert run["confusion"] == [[0 + 1 + 2] * 7] * 7
    assert run["settings"] == {"batch_size": 64, "model_options": {"units": [4, 2]}}
    assert run["classes"]["recall"][:2] == [[0.5] * 3, [None] * 3]
    assert run["spread"]["weight_sd"] == [{"dense_1": [0.1, 0.2], "logits": [0.3, 0.1]}] * 3
    finding = page.content(new_seeds())["findings"][0]
    assert (finding["verdict"], finding["claimed"]) == ("holds", [None, 0.0])
    assert finding["pairs"][0]["mean"] == pytest.approx(-0.05)
    # Step 10 adds one run; its curves are shown with the run that it is compared with.
    assert data["steps"][9]["runs"] == [
        "3-1-Up-Maxpool-Dropout-Layernorm-CNN-image-flip",
        "3-1-Up-Maxpool-Dropout-Layernorm-CNN",
    ]


def test_runs_of_the_study_come_first_and_the_best_is_opened():
    results = found() | {"a": [result("Resnet", 0, 0.9, 0.9)], "b": [result("3-2-Best", 0, 0.1, 0.1)]}
    data = page.content(results)
    assert [run["name"] for run in data["runs"]][-2:] == ["3-2-Best", "Resnet"]
    assert data["opened"] == "3-2-Best"
    assert page.content(found())["opened"] == "2-1024-Layer-NN"


def test_data_review():
    review = page.content(found(), FACES)["review"]
    assert {name: sum(counts.values()) for name, counts in review["counts"].items()} == dict.fromkeys(
        ("Training", "PublicTest", "PrivateTest"), 10
    )
    assert review["lines"][0].startswith("exact duplicates: ")
    assert review["agreement"] is None
    first = Image.open(io.BytesIO(base64.b64decode(review["samples"]["angry"][0])))
    (row, *_) = np.flatnonzero(FACES.labels == 0)
    assert np.array_equal(first, FACES.images[row, :, :, 0])


def test_mistakes_are_those_of_the_first_seed():
    run = page.content(found())["runs"][0]
    assert run["mistakes"] == [
        {"image": 7, "label": 0, "predicted": 3, "probability": 0.98765},
        {"image": 0, "label": 2, "predicted": 5, "probability": 0.9},
    ]
    assert page.content(found())["pictures"] is None


def test_pictures_are_the_faces_at_those_places_of_the_test_split():
    results = found()
    results["nn_1_layer"] = results["nn_1_layer"][1:]  # its first seed is 1
    pictures = page.content(results, FACES)["pictures"]
    # The official test images are the last ten.
    assert {seed: list(images) for seed, images in pictures.items()} == {1: [1, 7], 0: [0, 7]}
    for place, text in pictures[1].items():
        image = Image.open(io.BytesIO(base64.b64decode(text)))
        assert (image.format, image.mode) == ("PNG", "L")
        assert np.array_equal(image, FACES.images[20 + place, :, :, 0])


def test_pictures_of_other_faces_are_refused():
    other = make_faces(FACES.images, FACES.labels[::-1], FACES.usages, "other.csv")
    with pytest.raises(InputError, match="of fer2013.csv with digest .*, but other.csv has .* with --data, or"):
        page.html(found(), other)
