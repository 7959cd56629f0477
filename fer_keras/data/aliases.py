"""Names of emotions and splits in folders, files and columns, and the codes of published data sets."""

import re
import unicodedata
from collections.abc import Iterable

from fer_keras.core.errors import InputError
from fer_keras.data.faces import EMOTIONS, USAGES

SYNONYMS = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "afraid": "fear",
    "scared": "fear",
    "happiness": "happy",
    "joy": "happy",
    "sadness": "sad",
    "surprised": "surprise",
    "suprise": "surprise",
    "suprised": "surprise",
    "neutrality": "neutral",
    "contemptuous": "contempt",
}
# Classes of other face sets that FER-2013 does not have.
WITHOUT_COUNTERPART = ("contempt", "unknown", "uncertain", "none", "no face", "noface", "nf")
# Meaning of the codes in published label columns and numbered folders.
CODES = {
    # The 48 x 48 CSV of CK+ follows FER-2013 and adds contempt.
    "fer2013": dict(enumerate((*EMOTIONS, "contempt"))),
    "ferplus": dict(enumerate(("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt"))),
    "raf-db": dict(enumerate(("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral"), start=1)),
    "affectnet": dict(
        enumerate(
            ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt")
            + ("none", "uncertain", "no face")
        )
    ),
}

TRAINING, PUBLIC, PRIVATE, TEST = range(len(USAGES))
EVALUATION = -2  # validation, or test where the set has a validation split and no test split
SPLITS = {
    **dict.fromkeys(("train", "training", "trainset", "trainingset"), TRAINING),
    **dict.fromkeys(("val", "valid", "validation", "validate", "valset", "validset", "validationset"), PUBLIC),
    **dict.fromkeys(("dev", "devel", "development", "devset", "publictest"), PUBLIC),
    **dict.fromkeys(("eval", "evaluation", "evalset", "evaluationset"), EVALUATION),
    "privatetest": PRIVATE,
    **dict.fromkeys(("test", "testing", "tests", "testset", "testingset"), TEST),
}
FILLERS = {
    "set",
    "data",
    "dataset",
    "split",
    "images",
    "image",
    "imgs",
    "img",
    "pictures",
    "faces",
    "folder",
    "dir",
}
SPLIT_NAMES = "train, val, dev, eval, test"


def emotion_name(word: str) -> str:
    """Return the common name of an emotion ("1_Happiness" is "happy"), else `word` in lower case."""
    word = re.sub(r"^[\d\W_]+|[\d\W_]+$", "", word.lower()) or word.strip()
    return SYNONYMS.get(word, word)


def class_key(name: str) -> str:
    """Return a key that is equal for all names of one class: an emotion under any alias, else any letter case."""
    return emotion_name(name) if is_class_of_a_face_set(name) else name_key(name)


def is_class_of_a_face_set(word: str) -> bool:
    """Return whether `word` names one of FER-2013's emotions, or a class that only other face sets have."""
    return emotion_name(word) in (*EMOTIONS, *WITHOUT_COUNTERPART)


def name_key(name: str) -> str:
    """Return a key of a name that is independent of letter case and of the encoding of accents."""
    return unicodedata.normalize("NFC", name.strip()).casefold()


def emotion_code(word: str) -> int | None:
    """Return FER-2013's code 0..6 of an emotion's name in any letter case, or None."""
    word = emotion_name(word)
    return EMOTIONS.index(word) if word in EMOTIONS else None


def split_code(word: str) -> int | None:
    """Return the usage code of a split's name in any letter case ("Train_Set", "PublicTest"), or None.

    The result is an index of `USAGES` or `EVALUATION`; `split_codes` resolves the latter.
    """
    words = [part for part in re.split(r"[\W_]+", word.lower()) if part and not part.isdigit()]
    for kept in (words, [part for part in words if part not in FILLERS]):
        if (code := SPLITS.get("".join(kept))) is not None:
            return code
    return None


def split_codes(words: Iterable[str], where: object) -> dict[str, int]:
    """Return `{word: usage code}` of the different split names of one data set; -1 for words that name no split.

    A test split is PrivateTest if the set also has a validation split: copies of FER-2013 with train, val and test
    have its three usages under these names. An eval split is validation, or test if the set has a validation split
    and no test split.

    Raises:
        InputError: if two words name the same split.
    """
    raw = {word: split_code(word) for word in words}
    found = set(raw.values())
    evaluation = TEST if PUBLIC in found and not found & {TEST, PRIVATE} else PUBLIC
    codes = {word: evaluation if code == EVALUATION else code for word, code in raw.items()}
    if PUBLIC in codes.values():
        codes = {word: PRIVATE if code == TEST else code for word, code in codes.items()}
    named: dict[int, str] = {}
    for word, code in codes.items():
        if code is not None and code in named:
            raise InputError(
                f"{where} has the splits {named[code]!r} and {word!r}, both {USAGES[code]}. Merge them, "
                "or give a folder with one of them."
            )
        if code is not None:
            named[code] = word
    return {word: -1 if code is None else code for word, code in codes.items()}
