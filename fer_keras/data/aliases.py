"""The words people use for emotions and splits in folder, file and column names."""

import re

from fer_keras.data.faces import EMOTIONS, USAGES

SYNONYMS = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "afraid": "fear",
    "happiness": "happy",
    "joy": "happy",
    "sadness": "sad",
    "surprised": "surprise",
    "suprise": "surprise",
    "neutrality": "neutral",
}
TRAINING, PUBLIC, PRIVATE, TEST = range(len(USAGES))
SPLITS = {
    "train": TRAINING,
    "training": TRAINING,
    "val": PUBLIC,
    "valid": PUBLIC,
    "validation": PUBLIC,
    "publictest": PUBLIC,
    "privatetest": PRIVATE,
    "test": TEST,
    "testing": TEST,
}


def emotion_code(word):
    """Return the code 0..6 of an emotion's name in any letter case, or None."""
    word = word.strip().lower()
    word = SYNONYMS.get(word, word)
    return EMOTIONS.index(word) if word in EMOTIONS else None


def split_code(word):
    """Return the usage code of a split's name in any letter case, or None."""
    return SPLITS.get(re.sub(r"[\W_]", "", word.lower()))


def settle(codes):
    """Return `codes` with a plain test split as PrivateTest where a validation split stands beside it.

    Three-way copies of FER-2013 (train, val, test) hold its three usages under these names.
    """
    codes = list(codes)
    test = PRIVATE if PUBLIC in codes else TEST
    return [test if code == TEST else code for code in codes]
