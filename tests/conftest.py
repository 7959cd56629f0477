import os

import pytest

import fer_keras  # noqa: F401  chooses the backend, before a test imports Keras

if "PYTEST_XDIST_WORKER" in os.environ:  # each worker has a core
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def own_cache(request, tmp_path_factory, monkeypatch):
    """Keep tests out of the home directory; only those marked `real` see the user's FER_DATA."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    if not request.node.get_closest_marker("real"):
        monkeypatch.delenv("FER_DATA", raising=False)
