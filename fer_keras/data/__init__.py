"""FER-2013 and other face sets in any format, as uint8 arrays; splits, FER+ votes, audit, synthetic faces."""

from typing import TYPE_CHECKING

from fer_keras.core import renames
from fer_keras.data.auditing import audit, audit_text
from fer_keras.data.contact_sheet import audit_picture
from fer_keras.data.faces import EMOTIONS, USAGES, Faces
from fer_keras.data.kaggle import fetch
from fer_keras.data.loading import FaceSet, load
from fer_keras.data.quality import quality_checks
from fer_keras.data.splits import deduplicate, leak_free, split

__all__ = [
    "EMOTIONS",
    "USAGES",
    "FaceSet",
    "Faces",
    "audit",
    "audit_picture",
    "audit_text",
    "deduplicate",
    "fetch",
    "leak_free",
    "load",
    "quality_checks",
    "split",
]

if not TYPE_CHECKING:  # else every attribute would exist for type checkers

    def __getattr__(name):
        raise renames.missing_attribute(__name__, name)
