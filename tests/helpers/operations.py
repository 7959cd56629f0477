"""What PyTorch is asked to compute while a model trains."""

import collections

from torch.utils._python_dispatch import TorchDispatchMode

# Operations that look at memory in another way, or that are for the profiler: a device has nothing to do for them.
VIEWS = {
    *(
        "alias",
        "as_strided",
        "detach",
        "expand",
        "permute",
        "select",
        "slice",
        "split",
        "squeeze",
        "t",
        "transpose",
    ),
    *("unbind", "unsqueeze", "view", "_unsafe_view"),
    *("_record_function_enter_new", "_record_function_exit"),
}
COPIED = "lift_fresh"  # of a number or an array of the processor


class Operations(TorchDispatchMode):
    """Within the block, `calls` counts what this thread asks for, views left out: {name: calls}."""

    def __init__(self):
        super().__init__()
        self.calls = collections.Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        if name not in VIEWS:
            self.calls[name] += 1
        return function(*args, **(kwargs or {}))
