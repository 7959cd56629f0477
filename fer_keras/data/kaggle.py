"""Downloads FER-2013 from Kaggle with the user's login. Needs kagglehub."""

import os
import pathlib
import shutil
import tempfile

from fer_keras.core.errors import InputError
from fer_keras.data import formats, sources
from fer_keras.data.loading import fetched
from fer_keras.data.reading import Options

COMPETITION = "challenges-in-representation-learning-facial-expression-recognition-challenge"
BY_HAND = (
    f"By hand: log in at https://www.kaggle.com/c/{COMPETITION}/data, accept the rules, download all;\n"
    "then give the zip to a command with --data, or name it in FER_DATA: it need not be unpacked."
)


def fetch() -> pathlib.Path:
    """Download FER-2013 into the user's cache, where `load` finds it, and return that folder.

    Raises:
        InputError: if kagglehub is not installed or Kaggle refuses (no login, rules not accepted, no network); the
            message says how to get the data manually.
    """
    home = fetched()
    if home.exists():
        return home
    try:
        import kagglehub
    except ImportError as error:
        raise InputError(f"Fetching needs kagglehub: pip install 'fer-keras[fetch]'.\n{BY_HAND}") from error
    try:
        downloaded = kagglehub.competition_download(COMPETITION)
    except Exception as error:  # kagglehub has no error class and passes on those of its HTTP library
        raise InputError(f"Kaggle gave no data: {error}\n{BY_HAND}") from error
    keep(pathlib.Path(downloaded), home)
    return home


def keep(downloaded: pathlib.Path, home: pathlib.Path) -> None:
    """Copy the files of the recognized data set in `downloaded` to `home`, atomically."""
    with sources.reading(downloaded):
        files = formats.recognize(sources.Folder(downloaded), Options()).files()
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=home.parent) as temporary:
            folder = pathlib.Path(temporary) / home.name
            for name in files.sizes:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(files.path / name, folder / name)
            os.rename(folder, home)
    except OSError as error:
        raise InputError(
            f"Cannot keep the data in {home}: {error}. It lies in {downloaded}: give that."
        ) from error
