"""FER-2013 in every form its users hold it, as uint8 arrays, with splits, FER+ votes, audit and drawn faces."""

from fer_keras.data.auditing import audit, audit_text
from fer_keras.data.contact_sheet import audit_picture
from fer_keras.data.faces import EMOTIONS, USAGES, Faces
from fer_keras.data.kaggle import fetch
from fer_keras.data.loading import load
from fer_keras.data.quality import quality_checks
from fer_keras.data.splits import clean, leak_free, split

__all__ = [
    "EMOTIONS",
    "USAGES",
    "Faces",
    "audit",
    "audit_picture",
    "audit_text",
    "clean",
    "fetch",
    "leak_free",
    "load",
    "quality_checks",
    "split",
]
