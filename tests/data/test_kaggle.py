import sys
import types

import pytest
from helpers import data_forms as forms

from fer_keras.core.errors import InputError
from fer_keras.data import fetch, load

FACES = forms.tiny()


@pytest.fixture
def kaggle(tmp_path, monkeypatch):
    """A stand-in for kagglehub that has downloaded what the competition holds."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    forms.write_icml(tmp_path / "download" / "icml_face_data.csv", FACES)
    forms.write_pair(tmp_path / "download", forms.tiny(seed=1))
    module = types.ModuleType("kagglehub")
    module.competition_download = lambda name: str(tmp_path / "download")
    monkeypatch.setitem(sys.modules, "kagglehub", module)
    return module


def test_fetched_data_is_found_by_load(kaggle, tmp_path):
    home = fetch()
    assert home == tmp_path / "cache" / "fer-keras" / "fer2013"
    assert [file.name for file in home.iterdir()] == ["icml_face_data.csv"]
    assert load().digest == FACES.digest
    kaggle.competition_download = None
    assert fetch() == home  # Nothing is downloaded twice.


def test_refusal_says_how_to_get_it_by_hand(kaggle, tmp_path, monkeypatch):
    def refuse(name):
        raise RuntimeError(f"403 for {name}")

    kaggle.competition_download = refuse
    with pytest.raises(
        InputError, match="Kaggle gave no data: 403 for challenges-in-rep.*\nBy hand: .*\n.*--data"
    ):
        fetch()
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(InputError, match="pip install 'fer-keras.fetch.'.\nBy hand: .*\n.*--data"):
        fetch()
    assert not (tmp_path / "cache").exists()


def test_full_disk_leaves_nothing(kaggle, tmp_path, monkeypatch):
    def full(source, target):
        target.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(InputError, match="Cannot keep the data in .*No space left on device"):
        fetch()
    assert list((tmp_path / "cache" / "fer-keras").iterdir()) == []
