import os

import numpy as np
import pytest
from helpers import data_forms as forms

from fer_keras.core.errors import InputError
from fer_keras.data import EMOTIONS, load
from fer_keras.data.votes import COLUMNS, EIGHT, EIGHT_CODES, align, distribution, majority, plurality

FACES = forms.tiny((3, 2, 2))


def vote(**counts):
    return [counts.get(name, 0) for name in COLUMNS]


# Majorities: neutral, happy, none (a tie), none (contempt), none (NF), angry, fear.
VOTES = np.array(
    [
        vote(neutral=6, sadness=4),
        vote(happiness=10),
        vote(surprise=5, fear=5),
        vote(contempt=6, disgust=4),
        vote(nf=10),
        vote(anger=4, disgust=3, unknown=3),
        vote(fear=9, nf=1),
    ]
)


@pytest.fixture
def data(tmp_path):
    forms.write_votes(tmp_path / "fer2013new.csv", FACES, VOTES)
    forms.write_csv(tmp_path / "fer2013.csv", FACES)
    return tmp_path


def test_votes_beside_the_data_are_found(data):
    packed = forms.pack_zip(data.parent / "with_votes.zip", data)
    for path in (data, data / "fer2013.csv", packed):
        for _ in range(2):
            assert np.array_equal(load(path).votes, VOTES)
    assert load(data).digest == FACES.digest


def test_original_labels_are_the_default(data):
    faces = load(data)
    assert faces.labels.tolist() == FACES.labels.tolist() and faces.soft_labels is None


def test_majority_labels_leave_out_images_without_one(data):
    faces = load(data, labels="majority")
    assert faces.labels.tolist() == [6, 3, 0, 2]
    assert np.array_equal(faces.images, FACES.images[[0, 1, 5, 6]])
    assert np.array_equal(faces.votes, VOTES[[0, 1, 5, 6]])
    assert faces.digest == load(data, labels="majority").digest != FACES.digest


def test_ferplus_majority_is_more_than_half_of_the_votes_without_single_ones():
    assert majority(VOTES).tolist() == [6, 3, -1, -1, -1, -1, 2]
    votes = [
        vote(anger=5, disgust=1, fear=1, sadness=1, unknown=1, nf=1),  # 5 of the 5 that count
        vote(surprise=4, fear=3, anger=1, disgust=1, nf=1),  # 4 of 7
        vote(surprise=4, fear=2, anger=2, disgust=2),  # 4 of 10
        vote(),
    ]
    assert majority(np.array(votes)).tolist() == [0, 5, -1, -1]


def test_ferplus_labels_leave_out_images_without_one(data, caplog):
    caplog.set_level("INFO", "fer_keras")
    faces = load(data, labels="fer+")
    assert faces.labels.tolist() == [6, 3, 2]
    assert np.array_equal(faces.images, FACES.images[[0, 1, 6]])
    assert caplog.messages == ["4 of 7 images have no fer+ label and are left out."]
    assert len({load(data, labels=labels).digest for labels in ("original", "majority", "fer+")}) == 3


def test_soft_labels_are_shares_of_the_seven(data):
    faces = load(data, labels="soft")
    assert faces.soft_labels.dtype == np.float32
    wanted = [
        [0, 0, 0, 0, 0.4, 0, 0.6],
        [0, 0, 0, 1, 0, 0, 0],
        [0, 0, 0.5, 0, 0, 0.5, 0],
        [0, 1, 0, 0, 0, 0, 0],
        [4 / 7, 3 / 7, 0, 0, 0, 0, 0],
        [0, 0, 1, 0, 0, 0, 0],
    ]
    assert np.allclose(faces.soft_labels, wanted)
    assert faces.labels.tolist() == [6, 3, 2, 1, 0, 2]
    assert np.allclose(faces.take([3]).soft_labels, [wanted[3]])


def test_plurality():
    assert plurality(VOTES).tolist() == [6, 3, -1, -1, -1, 0, 2]


# The protocol of FER+'s authors, worked out by hand; EIGHT is angry, disgust, fear, happy, sad, surprise, neutral,
# contempt.
@pytest.mark.parametrize(
    ("votes", "wanted"),
    [
        (vote(happiness=10), {"happy": 1}),
        (vote(anger=7, fear=2, sadness=1), {"angry": 1}),  # 7 of the remaining 9 are three quarters
        (vote(anger=6, fear=3, sadness=1), {"angry": 2 / 3, "fear": 1 / 3}),
        (vote(contempt=6, disgust=4), {"contempt": 0.6, "disgust": 0.4}),
        (vote(sadness=4, fear=3, anger=3), {"sad": 0.4, "fear": 0.3, "angry": 0.3}),
        (vote(anger=1, fear=1, sadness=1, neutral=7), {"neutral": 1}),  # single votes are dropped
        (vote(neutral=5, unknown=3, anger=2), None),  # what comes before "unknown" is only half
        (vote(neutral=6, nf=4), {"neutral": 1}),
        (vote(unknown=6, happiness=4), None),
        (vote(nf=10), None),
        (vote(sadness=4, fear=2, anger=2, disgust=2), None),  # four kinds until three quarters
        (vote(), None),
        (vote(anger=1, fear=1), None),
    ],
)
def test_distribution_that_ferplus_authors_train_on(votes, wanted):
    soft, counts = distribution(np.array([votes]))
    assert counts.tolist() == [wanted is not None] and soft.dtype == np.float32
    if wanted:
        assert soft[0].tolist() == pytest.approx([wanted.get(name, 0) for name in EIGHT])


def test_the_eight_class_labels(data):
    faces = load(data, labels="fer+8")
    # Training: neutral and sad, happy, surprise and fear (5 each); the others by majority: contempt and fear.
    assert faces.class_names == EIGHT == (*EMOTIONS, "contempt")
    assert faces.labels.tolist() == [6, 3, 2, 7, 2] and faces.usages.tolist() == [0, 0, 0, 1, 2]
    wanted = [
        [0, 0, 0, 0, 0.4, 0, 0.6, 0],
        [0, 0, 0, 1, 0, 0, 0, 0],
        [0, 0, 0.5, 0, 0, 0.5, 0, 0],
        [0, 0.4, 0, 0, 0, 0, 0, 0.6],
        [0, 0, 1, 0, 0, 0, 0, 0],
    ]
    assert np.allclose(faces.soft_labels, wanted)
    assert faces.digest == load(data, labels="fer+8").digest != load(data, labels="fer+").digest


@pytest.mark.real
@pytest.mark.skipif(not os.environ.get("FER_DATA"), reason="FER_DATA names no data")
def test_images_of_the_eight_class_protocol_on_fer2013():
    faces = load(progress=False)
    if faces.votes is None or (faces.usages == 0).sum() != 28_709:
        pytest.skip("FER_DATA is not all of FER-2013 with FER+")
    training, public = faces.votes[faces.usages == 0], faces.votes[faces.usages == 1]
    assert int(distribution(training)[1].sum()) == 27_956
    assert [int((majority(v, EIGHT_CODES) >= 0).sum()) for v in (training, public)] == [25_060, 3_199]


def test_usages_missing_on_either_side_are_skipped(data):
    table = np.column_stack([FACES.usages, VOTES])
    assert np.array_equal(align(table, np.array([0, 0, 0]), "votes"), VOTES[:3])
    assert np.array_equal(align(table, np.array([2, 3, 2, -1]), "votes"), [VOTES[5], [0] * 10, VOTES[6], [0] * 10])


def test_votes_that_do_not_fit(data, tmp_path_factory, caplog):
    part = forms.write_csv(tmp_path_factory.mktemp("part") / "part.csv", FACES.take([0, 1, 3, 4]))
    with pytest.raises(InputError, match="fer2013new.csv has 3 Training rows, the data 2. FER"):
        load(part, votes=data / "fer2013new.csv")
    (part.parent / "fer2013new.csv").write_bytes((data / "fer2013new.csv").read_bytes())
    assert load(part).votes is None
    assert "are ignored: fer2013new.csv has 3 Training rows, the data 2" in caplog.text
    with pytest.raises(InputError, match="has no votes for any usage"):
        align(np.column_stack([FACES.usages, VOTES]), np.array([3, -1]), "votes")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("fer0000001.png,0,10", "fer0000001.png,0,ten", r"fer2013new.csv, line 3 has the votes 0, ten, 0"),
        ("fer0000001.png,0,10", "fer0000001.png,0,-1", r"fer2013new.csv, line 3 has the votes 0, -1, 0"),
        ("PublicTest", "Public", r"fer2013new.csv, line 5 has Usage 'Public'"),
        (",0,9,0,0,1", ",0,9", r"fer2013new.csv, line 8 has 9 columns, expected 12"),
        ("contempt", "pride", r"fer2013new.csv lacks the columns contempt of fer2013new.csv"),
    ],
)  # fmt: skip
def test_malformed_votes(data, old, new, complaint):
    path = data / "fer2013new.csv"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError, match=complaint):
        load(data / "fer2013.csv", votes=path)


def test_labels_that_need_votes(tmp_path):
    path = forms.write_csv(tmp_path / "fer2013.csv", FACES)
    with pytest.raises(
        InputError, match="labels='soft' needs FER. votes, and there are none beside .*fer2013.csv"
    ):
        load(path, labels="soft")
    with pytest.raises(InputError, match="Unknown labels 'hard'. Expected one of: original, majority, soft"):
        load(path, labels="hard")
    with pytest.raises(InputError, match="Cannot read .*missing.csv: No such file"):
        load(path, votes=tmp_path / "missing.csv")
