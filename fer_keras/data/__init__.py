"""FER-2013 in every form its users hold it, as uint8 arrays, with splits, FER+ votes, audit and drawn faces."""

from fer_keras.data.auditing import audit, audit_text
from fer_keras.data.doubts import doubts
from fer_keras.data.faces import EMOTIONS, USAGES, Faces
from fer_keras.data.kaggle import fetch
from fer_keras.data.loading import load
from fer_keras.data.sheet import audit_picture
from fer_keras.data.splits import clean, leak_free, split

__all__ = [
    "EMOTIONS",
    "USAGES",
    "Faces",
    "audit",
    "audit_picture",
    "audit_text",
    "clean",
    "doubts",
    "fetch",
    "leak_free",
    "load",
    "split",
]
