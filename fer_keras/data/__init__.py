"""FER-2013 and other face sets in any format, as uint8 arrays; splits, FER+ votes, audit, synthetic faces.

Recognition needs the names of the emotions alone. So what reads data sets is imported when it is first used.
"""

import importlib
from typing import TYPE_CHECKING

from fer_keras.core import renames
from fer_keras.data.faces import EMOTIONS, USAGES, Faces

if TYPE_CHECKING:
    from fer_keras.data.auditing import audit, audit_text
    from fer_keras.data.contact_sheet import audit_picture
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

LAZY = {
    "FaceSet": "loading",
    "audit": "auditing",
    "audit_picture": "contact_sheet",
    "audit_text": "auditing",
    "deduplicate": "splits",
    "fetch": "kaggle",
    "leak_free": "splits",
    "load": "loading",
    "quality_checks": "quality",
    "split": "splits",
}

if not TYPE_CHECKING:  # else every attribute would exist for type checkers

    def __getattr__(name):
        if name not in LAZY:
            raise renames.missing_attribute(__name__, name)
        return getattr(importlib.import_module(f"{__name__}.{LAZY[name]}"), name)
