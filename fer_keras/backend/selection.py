"""The selected Keras backend and the installed ones, checked before Keras is imported."""

import importlib.util
import os

PACKAGES = {"torch": "torch", "jax": "'fer-keras[jax]'", "tensorflow": "'fer-keras[tensorflow]'"}


def installed() -> list[str]:
    """Return the names of the installed backends."""
    return [name for name in PACKAGES if importlib.util.find_spec(name)]


def fault() -> str | None:
    """Return one line that says what is wrong with `KERAS_BACKEND`, or `None` if it is usable."""
    name = os.environ["KERAS_BACKEND"]
    if name not in PACKAGES:
        return f"KERAS_BACKEND must be one of: {', '.join(PACKAGES)}. Received {name!r}."
    if name not in installed():
        return (
            f"KERAS_BACKEND is {name!r}, but {name} is not installed. Run `pip install {PACKAGES[name]}`, or set "
            f"KERAS_BACKEND to what is there: {', '.join(installed()) or 'nothing'}."
        )
    return None
