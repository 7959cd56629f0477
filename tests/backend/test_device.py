import types

import keras
import numpy as np
import pytest

from fer_keras.backend import device
from fer_keras.data.rows import Rows

TORCH = keras.backend.backend() == "torch"


def machine(monkeypatch, *, flags="", capability=None):
    """Pretend that this is a machine with these processor flags, or a GPU of that compute capability."""
    if TORCH:
        import torch

        monkeypatch.setattr(torch.cuda, "is_available", lambda: capability is not None)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    cpuinfo = types.SimpleNamespace(exists=lambda: flags is not None, read_text=lambda: f"flags\t: {flags} x\n")
    monkeypatch.setattr(device.pathlib, "Path", {"/proc/cpuinfo": cpuinfo}.__getitem__)


@pytest.mark.parametrize(
    "parts, fast",
    [
        ({"flags": "avx2 avx512f"}, False),
        ({"flags": "avx512f avx512_bf16"}, True),
        ({"flags": "amx_bf16"}, True),
        ({"flags": "xavx512_bf16x"}, False),
        ({"flags": None}, False),
        ({"flags": "avx512_bf16", "capability": (7, 5)}, False),
        ({"capability": (8, 0)}, True),
        ({"capability": (9, 0)}, True),
    ],
)
def test_bfloat16_where_torch_computes_it_natively(monkeypatch, parts, fast):
    with monkeypatch.context() as patch:
        machine(patch, **parts)
        assert device.fast_precision() == ("mixed_bfloat16" if fast and TORCH else "float32")


def test_precision_is_that_of_the_block():
    before = keras.config.dtype_policy().name
    for precision in ("float32", "mixed_bfloat16"):
        with pytest.raises(KeyError), device.training_in(precision):
            assert keras.config.dtype_policy().name == precision
            raise KeyError
        assert keras.config.dtype_policy().name == before


def test_precision_is_the_fast_one_by_default():
    with device.training_in():
        assert keras.config.dtype_policy().name == device.fast_precision()


@pytest.mark.skipif(not TORCH, reason="the others get arrays")
def test_images_go_to_a_gpu_that_has_twice_the_room(monkeypatch):
    import torch

    images = np.arange(2 * 48 * 48, dtype="uint8").reshape(2, 48, 48, 1)
    assert device.resident(images) is images
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for free, moved in (2 * images.nbytes - 1, False), (2 * images.nbytes, True):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda free=free: (free, 10**9))
        for given in images, Rows(images, np.array([0, 1])):
            found = device.resident(given)
            if moved:
                assert found.dtype == torch.uint8
                np.testing.assert_array_equal(found.cpu().numpy(), images)
            else:
                assert found is given
