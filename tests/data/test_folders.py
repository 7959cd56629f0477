import os
import pathlib
import shutil

import numpy as np
import pytest
from helpers import data_forms as forms
from PIL import Image

from fer_keras.core.errors import InputError
from fer_keras.data import EMOTIONS, load, split

RANDOM = np.random.default_rng(0)


def put(folder, count, first=0):
    """Write `count` different 48 x 48 pictures to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(first, first + count):
        Image.fromarray(RANDOM.integers(0, 256, (48, 48), np.uint8)).save(folder / f"{i}.png")


def tree(root, counts, classes=EMOTIONS):
    """Write `{split folder: images of each class}` below `root`."""
    for folder, count in counts.items():
        for name in classes:
            put(root / folder / name, count)
    return root


def usages(faces):
    """Return how many images each usage has: Training, PublicTest, PrivateTest, Test, unknown."""
    return [int((faces.usages == code).sum()) for code in (0, 1, 2, 3, -1)]


@pytest.mark.parametrize(
    ("folders", "wanted"),
    [
        (("train_set", "test_set"), [21, 0, 0, 14, 0]),
        (("training_set", "test"), [21, 0, 0, 14, 0]),
        (("TRAINING-SET", "Testing Data"), [21, 0, 0, 14, 0]),
        (("Train Images", "Test Images"), [21, 0, 0, 14, 0]),
        (("train", "dev", "test"), [21, 14, 7, 0, 0]),
        (("train", "val", "test"), [21, 14, 7, 0, 0]),
        (("Training", "PublicTest", "PrivateTest"), [21, 14, 7, 0, 0]),
        (("train", "public_test", "private_test"), [21, 14, 7, 0, 0]),
        (("train", "evaluation", "test"), [21, 14, 7, 0, 0]),
        (("train", "eval"), [21, 14, 0, 0, 0]),
        (("train", "dev", "eval"), [21, 14, 7, 0, 0]),  # eval is the test here
        (("images/train", "images/validation"), [21, 14, 0, 0, 0]),
        (("train/train", "test/test"), [21, 0, 0, 14, 0]),
        (("test/fer2013/train", "test/fer2013/test"), [21, 0, 0, 14, 0]),  # the innermost name counts
        (("data/fer_2013",), [0, 0, 0, 0, 21]),
    ],
)
def test_split_names_in_use(tmp_path, folders, wanted):
    faces = load(tree(tmp_path, dict(zip(folders, (3, 2, 1), strict=False))))
    assert usages(faces) == wanted and not faces.skipped
    assert np.bincount(faces.labels, minlength=7).tolist() == [len(faces) // 7] * 7


def test_classes_may_stand_above_the_splits(tmp_path):
    for name in EMOTIONS:
        put(tmp_path / name / "train", 2)
        put(tmp_path / name / "test", 1)
    assert usages(load(tmp_path)) == [14, 0, 0, 7, 0]


def test_folders_inside_a_class_are_read(tmp_path):
    tree(tmp_path, {"train": 1, "test": 1})
    put(tmp_path / "train" / "happy" / "person 7", 2)
    assert np.bincount(load(tmp_path).labels).tolist() == [2, 2, 2, 4, 2, 2, 2]


@pytest.mark.parametrize(
    ("folder", "complaint"),
    [
        ("holdout/happy", "more than one data set: class folders in the folder itself and in 'holdout'"),
        ("happy", "lies in no split, others lie in 'test'"),
        ("train/bored", "lies in 'bored', which is no known class"),
        ("train/bored/person 7", "lies in 'bored', which is no known class"),
        ("train/happy/sad", "lies in folders of two classes, happy and sad"),
        ("test", "lies in the split 'test' but in no class folder"),
        ("validation", "lies in the split 'validation' but in no class folder"),
        ("training/happy", "has the splits 'train' and 'training', both Training"),
        ("other/train/happy", "more than one data set: class folders in the folder itself and in 'other'"),
    ],
)
def test_what_could_be_a_split_or_a_class_is_never_left_out(tmp_path, folder, complaint):
    tree(tmp_path, {"train": 2, "test": 1})
    put(tmp_path / folder, 2, first=70)
    with pytest.raises(InputError) as caught:
        load(tmp_path)
    assert complaint in str(caught.value) and str(tmp_path) in str(caught.value)


def renamed(folder, suffix):
    for path in folder.rglob("*.png"):
        path.rename(path.with_suffix(suffix))


def replaced(folder, suffix, content):
    for path in list(folder.rglob("*.png")):
        path.with_suffix(suffix).write_bytes(content)
        path.unlink()


def test_images_without_their_suffix_are_read(tmp_path):
    tree(tmp_path, {"train": 3, "test": 2})
    renamed(tmp_path / "test", "")
    renamed(tmp_path / "train" / "fear", ".7")
    faces = load(tmp_path)
    assert usages(faces) == [21, 0, 0, 14, 0] and not faces.skipped


@pytest.mark.parametrize("folder", ["test", "test/fear", "train/sad"])
def test_a_split_or_class_of_images_that_are_not_read_is_an_error(tmp_path, folder):
    tree(tmp_path, {"train": 3, "test": 2})
    replaced(tmp_path / folder, ".avif", b"\0\0\0\x20ftypavif")
    with pytest.raises(
        InputError, match="avif is of a format that is not read, and its split has no other picture"
    ):
        load(tmp_path)


@pytest.mark.parametrize("folder", ["test", "test/fear", "train/sad"])
def test_a_split_or_class_without_pictures_is_an_error(tmp_path, folder):
    tree(tmp_path, {"train": 3, "test": 2})
    replaced(tmp_path / folder, ".npy", b"\x93NUMPY")
    kind = "split" if folder == "test" else "class"
    with pytest.raises(InputError, match=f"npy is no picture, and no picture is read of the {kind} that its path"):
        load(tmp_path)


@pytest.mark.parametrize("inside, kind", [("test", "split"), ("test/fear", "class"), ("train/sad", "class")])
@pytest.mark.parametrize("packed", [False, True])
def test_archives_of_a_split_or_class_beside_the_others_are_refused(tmp_path, inside, kind, packed):
    root = tree(tmp_path / "data", {"train": 3, "test": 2})
    forms.pack_zip(root / f"{inside}.zip", root / inside)
    if packed:
        forms.pack_zip(tmp_path / "data.zip", root)
    place = tmp_path / "data.zip" if packed else root
    assert usages(load(place)) == [21, 0, 0, 14, 0]  # it is a copy
    shutil.rmtree(root / inside)
    if packed:
        forms.pack_zip(tmp_path / "data.zip", root)
    with pytest.raises(InputError, match=f"zip is no picture, and no picture is read of the {kind} .* Unpack it"):
        load(place)


def test_archives_inside_an_archive_are_not_read_and_reported(tmp_path):
    root = tree(tmp_path / "data", {"train": 3})
    forms.pack_zip(root / "more.zip", root)
    forms.pack_zip(tmp_path / "data.zip", root)
    assert load(tmp_path / "data.zip").notes == ("Read the unpacked files; not read: more.zip.",)
    shutil.rmtree(root / "train")
    forms.pack_zip(tmp_path / "data.zip", root)
    with pytest.raises(InputError, match="holds the archive more.zip. Unpack it, and give"):
        load(tmp_path / "data.zip")


def test_two_data_sets_side_by_side(tmp_path):
    for name in ("a", "b"):
        tree(tmp_path / name, {"train": 2, "test": 1})
    with pytest.raises(InputError, match="more than one data set: class folders in 'a' and in 'b'. Give"):
        load(tmp_path)
    assert len(load(tmp_path / "b")) == 21


def test_four_splits_are_ambiguous(tmp_path):
    with pytest.raises(InputError, match="has the splits 'eval' and 'val', both PublicTest"):
        load(tree(tmp_path, dict.fromkeys(("train", "val", "eval", "test"), 1)))


def test_what_is_left_out_is_counted_with_an_example_and_logged(tmp_path, caplog):
    tree(tmp_path, {"train": 20, "test": 5})
    put(tmp_path / "train" / "contempt", 4)
    put(tmp_path / "test" / "unknown", 1)
    put(tmp_path, 1)  # a picture for the README
    (tmp_path / "train" / "happy" / ".7.png").write_bytes(b"")
    (tmp_path / "train" / "happy" / "8.HEIC").write_bytes(b"x")
    (tmp_path / "train" / "sad" / "999.jpg").write_bytes(b"cut")
    (tmp_path / "train" / "sad" / "998.jpg").symlink_to(tmp_path / "nowhere.jpg")
    for name in ("Thumbs.db", ".DS_Store", "._7.png", "notes.txt"):
        (tmp_path / "train" / "fear" / name).write_bytes(b"x")
    wanted = {
        "a broken link or not a regular file": (1, "train/sad/998.jpg"),
        "class 'contempt' is not among the classes": (4, "train/contempt/0.png"),
        "class 'unknown' is not among the classes": (1, "test/unknown/0.png"),
        "format that is not read": (1, "train/happy/8.HEIC"),
        "hidden file": (1, "train/happy/.7.png"),
        "not a readable image": (1, "train/sad/999.jpg"),
        "not in a class folder": (1, "0.png"),
    }
    for _ in range(2):  # parsed, then from the cache
        caplog.clear()
        faces = load(tmp_path)
        assert len(faces) == 175
        assert faces.skipped == {
            reason: {"images": count, "example": str(tmp_path / path)} for reason, (count, path) in wanted.items()
        }
        assert "Images not read: 1 (" in caplog.text and "4 (class 'contempt' is not among" in caplog.text


def test_a_class_that_loses_all_its_images_is_an_error(tmp_path):
    tree(tmp_path, {"train": 60, "test": 1})
    (tmp_path / "test" / "sad" / "0.png").write_bytes(b"")
    with pytest.raises(InputError, match="test/sad/0.png is not a readable image .* a class loses all its images"):
        load(tmp_path)


def test_more_than_one_percent_of_damaged_images_is_an_error(tmp_path):
    tree(tmp_path, {"train": 10, "test": 10})
    for i in range(2):
        (tmp_path / "train" / "sad" / f"{i}.png").write_bytes(b"")
    with pytest.raises(InputError, match="train/sad/0.png is not a readable .* 2 of 140 images cannot be used"):
        load(tmp_path)


def test_links_to_splits_classes_and_files_are_followed(tmp_path):
    real = tree(tmp_path / "real", {"train": 2, "test": 1})
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "test").symlink_to(real / "test")
    (linked / "train").mkdir()
    for name in EMOTIONS:
        (linked / "train" / name).symlink_to(real / "train" / name)
    assert usages(load(linked)) == [14, 0, 0, 7, 0] and load(linked).digest == load(real).digest


@pytest.mark.parametrize("target", [".", "test", "train/sad"])
def test_links_that_give_a_folder_twice_are_refused(tmp_path, target):
    tree(tmp_path, {"train": 2, "test": 1})
    (tmp_path / "train" / "loop").symlink_to(tmp_path / target)
    with pytest.raises(InputError, match="are the same folder, by a link. Remove the link"):
        load(tmp_path)


def test_own_classes_only_when_asked(tmp_path):
    tree(tmp_path / "photos", {"train": 3, "test": 2}, ("Tired", "awake", "überrascht"))
    with pytest.raises(InputError, match="No folder of its 15 pictures is named like an emotion.*classes='own'"):
        load(tmp_path)
    faces = load(tmp_path, classes="own")
    assert faces.class_names == ("awake", "Tired", "überrascht") and usages(faces) == [9, 0, 0, 6, 0]
    assert np.bincount(faces.labels).tolist() == [5, 5, 5]
    assert faces.names[0] == "photos/train/Tired/0.png" and faces.labels[0] == 1
    assert faces.take([3]).class_names == faces.class_names and faces.take([3]).names.tolist() == [faces.names[3]]
    assert {part.class_names for part in split(faces).values()} == {faces.class_names}
    chosen = load(tmp_path, classes=("tired", "awake"))
    assert np.bincount(chosen.labels).tolist() == [5, 5] and chosen.class_names == ("tired", "awake")
    assert chosen.skipped["class 'überrascht' is not among the classes"]["images"] == 5
    assert len({load(tmp_path, classes=c).digest for c in ("own", ("Tired", "awake", "überrascht"))}) == 2


def test_own_classes_of_folders_without_splits_and_of_emotions(tmp_path):
    for name in ("happy", "contempt"):
        put(tmp_path / "a" / name, 2)
        put(tmp_path / "a" / name / "person 1", 1)
    faces = load(tmp_path, classes="own")
    assert faces.class_names == ("contempt", "happy") and np.bincount(faces.labels).tolist() == [3, 3]
    seven = load(tmp_path)
    assert len(seven) == 3 and seven.class_names == EMOTIONS
    both = load(tmp_path, classes=("Contempt", "Happiness"))
    assert np.bincount(both.labels).tolist() == [3, 3]  # emotions match under any alias, in both directions


def test_persons_with_folders_of_emotions_are_no_classes(tmp_path):
    for person in ("subj0", "subj1"):
        for name in ("anger", "joy"):
            put(tmp_path / person / name, 1)
    with pytest.raises(
        InputError, match=r"folders of emotions \(anger, joy\) inside of the folders subj0, subj1,"
    ):
        load(tmp_path, classes="own")


def test_own_classes_of_numbered_folders_whose_meaning_is_given(tmp_path):
    for number in (1, 4, 5):
        put(tmp_path / str(number), number)
    faces = load(tmp_path, classes="own", label_codes="raf-db")
    assert faces.class_names == ("happy", "sad", "surprise") and np.bincount(faces.labels).tolist() == [4, 5, 1]
    put(tmp_path / "9", 1)
    with pytest.raises(InputError, match="has the class folder '9', which raf-db does not have"):
        load(tmp_path, classes="own", label_codes="raf-db")


@pytest.mark.parametrize(
    ("classes", "complaint"),
    [
        ("folders", "Unknown classes 'folders'. Expected 'own' or a sequence of names"),
        (("a",), "expected 2 to 50 different names of 1 to 64 characters. Received 1: a"),
        (("a", "A"), "expected 2 to 50 different names"),
        (("a", "b" * 65), "expected 2 to 50 different names"),
        ([str(i) for i in range(51)], "Received 51: 0, 1, 2, 3, 4"),
    ],
)
def test_unfit_class_names(tmp_path, classes, complaint):
    put(tmp_path / "a", 1)
    with pytest.raises(InputError, match=complaint):
        load(tmp_path, classes=classes)


def test_one_own_class_is_none(tmp_path):
    put(tmp_path / "only", 3)
    with pytest.raises(InputError, match="No face data set|2 to 50 different names"):
        load(tmp_path, classes="own")


def test_numbered_folders_need_their_meaning(tmp_path):
    tree(tmp_path, {"train": 1, "test": 1}, [str(i) for i in range(8)])
    with pytest.raises(InputError, match=r"numbered class folders \(0, 1, 2, 3, 4, 5, 6, 7\).*--label-codes"):
        load(tmp_path)
    faces = load(tmp_path, label_codes="affectnet")
    first = [EMOTIONS[label] for label in faces.labels[faces.usages == 0]]
    assert sorted(first) == sorted(EMOTIONS) and len(first) == 7
    assert EMOTIONS[faces.labels[faces.names.tolist().index("train/1/0.png")]] == "happy"
    assert faces.skipped["class 'contempt' is not among the classes"]["images"] == 2
    with pytest.raises(InputError, match="has the class folder '0', which raf-db does not have"):
        load(tmp_path, label_codes="raf-db")


def test_colour_transparency_and_size(tmp_path):
    for name in EMOTIONS[:2]:
        (tmp_path / name).mkdir()
        Image.new("RGB", (100, 100), (255, 0, 0)).save(tmp_path / name / "1.webp", lossless=True)
        Image.new("L", (24, 24), 90).save(tmp_path / name / "2.bmp")
    faces = load(tmp_path)
    red, grey = faces.images[faces.names == "angry/1.webp"], faces.images[faces.names == "angry/2.bmp"]
    assert np.all(red == 76) and np.all(grey == 90)  # 0.299 of red, ITU-R 601
    assert faces.notes == ("4 images of 100 x 100 pixels and other sizes were resized to 48 x 48.",)


@pytest.mark.parametrize("suffix", ["gif", "tif", "png", "webp"])
def test_further_frames_of_a_file_are_counted(tmp_path, suffix):
    put(tmp_path / "happy", 1)
    frames = [Image.fromarray(RANDOM.integers(0, 256, (48, 48), np.uint8)) for _ in range(3)]
    path = tmp_path / "happy" / f"many.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    faces = load(tmp_path)
    assert len(faces) == 2
    assert faces.skipped == {"further frames or pages of a file": {"images": 1, "example": str(path)}}


def test_a_file_that_is_no_image_is_named_without_an_address(tmp_path):
    (tmp_path / "happy").mkdir()
    (tmp_path / "happy" / "1.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"1\.png is not a readable image \(PNG, [A-Z, ]+\)\. 1 of 1 images"):
        load(tmp_path)


def test_files_are_told_by_content_not_only_by_name(tmp_path):
    put(tmp_path / "happy", 2)
    os.rename(tmp_path / "happy" / "0.png", tmp_path / "happy" / "0.jpg")
    assert len(load(tmp_path)) == 2


def test_names_beyond_numbers_and_unicode(tmp_path):
    put(tmp_path / "happy", 1)
    put(tmp_path / "sad", 1)
    os.rename(tmp_path / "happy" / "0.png", tmp_path / "happy" / ("9" * 240 + ".png"))
    os.rename(tmp_path / "sad" / "0.png", os.fsencode(tmp_path / "sad") + b"/\xff.png")
    for _ in range(2):
        faces = load(tmp_path)
        assert len(faces) == 2 and pathlib.PurePosixPath(faces.names[0]).parent.name == "sad"


def test_zip_with_a_link(tmp_path):
    import zipfile

    info = zipfile.ZipInfo("train/happy/1.png")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(InputError, match="holds 'train/happy/1.png', which is a link"):
        load(tmp_path / "a.zip")


def test_archives_beside_the_data(tmp_path):
    forms.write_folders(tmp_path / "in", forms.tiny())
    (tmp_path / "two").mkdir()
    for name in ("a.zip", "b.zip"):
        forms.pack_zip(tmp_path / "two" / name, tmp_path / "in")
    with pytest.raises(InputError, match="holds 2 archives: a.zip, b.zip. Give one"):
        load(tmp_path / "two")
    forms.pack_zip(tmp_path / "in" / "same.zip", tmp_path / "in" / "train")
    assert load(tmp_path / "in").notes == ("Read the unpacked files; not read: same.zip.",)
