"""The names of a network's classes in its file."""

from collections.abc import Sequence
from typing import Any

from fer_keras.core.errors import InputError
from fer_keras.data import EMOTIONS
from fer_keras.data.aliases import emotion_code

KEY = "class_names"  # in metadata.json of a .keras file, and in the metadata of an ONNX file
MOST = 50
LONGEST = 64  # characters of one name
ORDERS = {"fer2013": EMOTIONS, "alphabetical": tuple(sorted(EMOTIONS))}


def check(names: Any, where: object) -> tuple[str, ...]:
    """Return `names` as a tuple: 1 to 50 different names of 1 to 64 printable characters of any script.

    Args:
        names: from a file, an option or a program.
        where: their source, for the message.

    Raises:
        InputError: if they are not.
    """
    named = isinstance(names, Sequence) and not isinstance(names, str | bytes)
    named = named and all(isinstance(name, str) for name in names)
    if not named or not 1 <= len(names) <= MOST or len(set(names)) < len(names):
        raise InputError(f"{where}: expected 1 to {MOST} different class names. Received {names!r:.200}.")
    for name in names:
        if not (0 < len(name) <= LONGEST and name.isprintable() and name == name.strip()):
            raise InputError(
                f"{where}: a class name must be 1 to {LONGEST} printable characters without spaces around it. "
                f"Received {name!r:.200}."
            )
    return tuple(names)


def parse_order(text: str) -> tuple[str, ...]:
    """Return the class names in `text`, in the order of a network's outputs.

    Args:
        text: `"fer2013"`, `"alphabetical"` (FER-2013's seven in the order in which Keras reads image
            folders), or names separated by commas. Aliases of FER-2013's seven emotions, such as `anger`, become
            these.

    Raises:
        InputError: if it is none of these.
    """
    if text in ORDERS:
        return ORDERS[text]
    words = [word.strip() for word in text.split(",")]
    if len(words) < 2:
        raise InputError(
            f"The order of the classes must be {', '.join(ORDERS)}, or the names with commas between them, "
            f"such as {','.join(EMOTIONS)}. Received {text!r}."
        )
    codes = [code for word in words if (code := emotion_code(word)) is not None]
    if len(codes) == len(words) and sorted(codes) == list(range(len(EMOTIONS))):
        return tuple(EMOTIONS[code] for code in codes)
    return check(words, "--class-order")
