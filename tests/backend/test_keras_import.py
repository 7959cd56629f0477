"""The import of Keras without packages that a prediction does not use, and the stand-in for PyTorch's compiler."""

import subprocess
import sys
import types

import pytest

from fer_keras.backend import keras_import

ALONE = """
import gc, sys
from fer_keras.backend.keras_import import import_keras_alone
import_keras_alone()
print("keras" in sys.modules, sorted({"pandas", "matplotlib", "sklearn", "torch._dynamo"} & set(sys.modules)))
print(gc.isenabled(), gc.get_freeze_count() > 0)
import matplotlib, pandas, sklearn, keras
print(keras.ops.convert_to_numpy(keras.ops.ones(2)).sum(), len(keras.random.uniform((3,), seed=1)))
import torch
print(torch.compile(lambda x: x + 1, backend="eager")(torch.ones(2)).tolist(), torch._dynamo.config.__name__)
"""


@pytest.mark.slow
def test_keras_alone_leaves_other_packages_importable():
    command = [sys.executable, "-c", ALONE]
    result = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    lines = ["True []", "True True", "2.0 3", "[2.0, 2.0] torch._dynamo.config"]
    assert result.stdout.splitlines() == lines


def test_stand_in_gives_way_to_the_module_it_stands_for(tmp_path, monkeypatch):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "__init__.py").write_text("from real import inner\n")
    (tmp_path / "real" / "inner.py").write_text("value = 3\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "real", keras_import.LazyCompiler("real"))

    @sys.modules["real"].disable()
    def double(x):
        return 2 * x

    assert double(2) == 4 and sys.modules["real"].disable(double) is double
    assert not hasattr(sys.modules["real"], "__file__")  # as `inspect` asks of every module
    import real.inner

    assert real.inner.value == 3 and real.inner is sys.modules["real.inner"]
    assert type(sys.modules.pop("real.inner")) is type(sys.modules["real"]) is types.ModuleType
