"""A faster import of Keras, for a process that only predicts."""

import gc
import importlib
import sys
import types
from collections.abc import Callable
from typing import Any

EXTRAS = {"IPython", "matplotlib", "pandas", "sklearn"}  # of Keras
COMPILER = "torch._dynamo"


def import_keras_alone() -> None:
    """Import Keras without the optional packages that a prediction does not use.

    Keras imports the packages in `EXTRAS` if they are installed. Without them, this process has no scikit-learn
    wrappers, plots or data-frame inputs of Keras. PyTorch's compiler is imported when first used, see
    `LazyCompiler`. The garbage collector is off during the import and skips the imported objects afterwards:
    traversing them took longer than the rest of the import.
    """
    if "keras" in sys.modules:
        return
    # With None in sys.modules, an import fails as if the package were not installed.
    hidden: dict[str, Any] = dict.fromkeys(EXTRAS - sys.modules.keys())
    if COMPILER not in sys.modules:
        hidden[COMPILER] = LazyCompiler(COMPILER)
    sys.modules.update(hidden)
    collects = gc.isenabled()
    gc.disable()
    try:
        import keras  # noqa: F401
    finally:
        for name, stand_in in hidden.items():
            if sys.modules.get(name) is stand_in:
                sys.modules.pop(name, None)
        if collects:
            gc.enable()
    gc.freeze()


class LazyCompiler(types.ModuleType):
    """A stand-in for `torch._dynamo`. Of its 800 modules, Keras' import needs one decorator, `disable`.

    `disable` excludes functions from `torch.compile`, which this package does not call. So here it returns them
    unchanged. Any other attribute imports the real module.
    """

    def disable(self, function: Callable | None = None, *args: Any, **kwargs: Any) -> Callable:
        return function or (lambda decorated: decorated)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__path__":  # `inspect` and others ask every module for these
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)
