"""The classes of a data set: FER-2013's seven, given names, or the set's own."""

import re
from collections.abc import Sequence

from fer_keras.core.errors import InputError
from fer_keras.data.aliases import CODES, class_key, emotion_name, is_class_of_a_face_set, name_key
from fer_keras.data.faces import EMOTIONS
from fer_keras.data.skipped import Skipped

OWN = "own"
LEFT_OUT = -2
MOST_CLASSES = 50
LONGEST_NAME = 64
HOW = "To use a data set's own classes, give classes='own' (--classes own) or their names."


class Labels:
    """Converts the labels of a data set to class codes, and counts images of classes that were not requested.

    Args:
        classes: None for `EMOTIONS`; `"own"` for all names in the data set; or names: emotions match under any
            alias, and images of other classes are skipped.
        codes: key of `fer_keras.data.aliases.CODES`, the meaning of whole numbers. Default: `"fer2013"` in
            columns; required for numbered folders.
        skipped: counts skipped images.

    Raises:
        InputError: if the names are not 2 to 50 different ones of at most 64 characters, or `codes` is unknown.
    """

    def __init__(self, classes: str | Sequence[str] | None, codes: str | None, skipped: Skipped) -> None:
        if codes is not None and codes not in CODES:
            raise InputError(f"Unknown label codes {codes!r}. Expected one of: {', '.join(CODES)}.")
        if isinstance(classes, str) and classes != OWN:
            raise InputError(f"Unknown classes {classes!r}. Expected 'own' or a sequence of names.")
        self.own = classes == OWN
        self.asked = classes is not None and not self.own
        self.codes, self.skipped = codes, skipped
        self.names = list(EMOTIONS if classes is None else [] if self.own else classes)
        if self.asked:
            check_names(self.names, "classes")
        self._known = {name_key(name): code for code, name in enumerate(self.names)}
        self._aliases = {class_key(name): code for code, name in enumerate(self.names)}
        self._shown = dict(enumerate(self.names))

    def find(self, word: str) -> int | None:
        """Return the code of a class name, `LEFT_OUT` for a class that was not requested, or None if unknown."""
        word = word.strip()
        if self.own and word:
            new = self._known.setdefault(name_key(word), len(self._known))
            self._shown.setdefault(new, word)
            return new
        code = self._known.get(name_key(word), self._aliases.get(class_key(word)))
        if code is None and is_class_of_a_face_set(word):
            return LEFT_OUT
        return code

    def code(self, word: str | int, place: str) -> int:
        """Return the class code of a label in a column: a name, or a number under `codes`.

        Raises:
            InputError: if it is neither; names the `place`.
        """
        text = str(word).strip() if isinstance(word, str | int | float) and not isinstance(word, bool) else ""
        number = re.fullmatch(r"(\d{1,9})(?:[.,]0+)?", text)
        name = text
        if number and not (self.own and self.codes is None):
            name = CODES[self.codes or "fer2013"].get(int(number[1]), "")
        code = self.find(name) if name else None
        if code is None and self.asked and name:
            code = LEFT_OUT
        if code is None:
            numbers = ", ".join(f"{n} {name}" for n, name in CODES[self.codes or "fer2013"].items())
            raise InputError(f"{place} has the label {str(word)[:20]!r}, expected one of: {numbers}. {HOW}")
        if code == LEFT_OUT:
            self.skip(name, place)
        return code

    def skip(self, name: str, example: str, count: int = 1) -> None:
        """Count images of a class that was not requested."""
        self.skipped.add(f"class {emotion_name(name)!r} is not among the classes", example, count)

    def finish(self, labels: list[int]) -> tuple[list[int], tuple[str, ...]]:
        """Return `labels` and the class names; a set's own classes in alphabetical order."""
        if not self.own:
            return labels, tuple(self.names)
        used = sorted({code for code in labels if code >= 0}, key=lambda code: _order(self._shown[code]))
        names = tuple(self._shown[code] for code in used)
        check_names(names, "The data set's own classes")
        place = {old: new for new, old in enumerate(used)}
        return [place.get(code, code) for code in labels], names


def _order(name: str) -> tuple[int, str]:
    return (int(name), name) if re.fullmatch(r"\d{1,9}", name) else (-1, name.casefold())


def check_names(names: Sequence[str], what: str) -> None:
    """Refuse class names unless they are 2 to 50 different ones of 1 to 64 characters."""
    fits = all(isinstance(name, str) and 0 < len(name.strip()) and len(name) <= LONGEST_NAME for name in names)
    if not (fits and 2 <= len(names) <= MOST_CLASSES and len(set(map(name_key, names))) == len(names)):
        shown = ", ".join(str(name)[:LONGEST_NAME] for name in names[:5])
        raise InputError(
            f"{what}: expected 2 to {MOST_CLASSES} different names of 1 to {LONGEST_NAME} characters. Received "
            f"{len(names)}: {shown or 'none'}."
        )
