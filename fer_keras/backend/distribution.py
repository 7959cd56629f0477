"""Data-parallel training: several processes or devices share each batch, with the results of a single one.

On torch, `torchrun` starts the processes. Each holds a part of every batch. Summed over the whole batch are the
statistics of batch normalization, the gradients and the metrics. (PyTorch's `DistributedDataParallel` hooks into
the call of a module, which Keras' `fit` does not make, and synchronizes no batch statistics on CPUs.) On JAX, one
process drives several devices by `keras.distribution`.
"""

import contextlib
import dataclasses
import datetime
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import keras

from fer_keras.core.errors import InputError, first_line

if keras.backend.backend() == "torch":
    import torch
    from torch import distributed
    from torch.distributed.elastic.multiprocessing.errors import get_error_handler
else:
    torch = None  # type: ignore[assignment]

T = TypeVar("T")

WAIT = datetime.timedelta(minutes=10)  # for a process that does not answer, before the others stop

_rank, _size = 0, 1
running: Any = None  # the `Part` of the training step under way in this process, where there are several


class Lost(InputError):
    """Another process ended or does not answer."""


@dataclasses.dataclass(frozen=True)
class Part:
    """Images `start` to `stop` of a batch of `whole`."""

    start: int
    stop: int
    whole: int

    @property
    def rows(self) -> slice:
        return slice(self.start, self.stop)

    @property
    def share(self) -> float:
        return (self.stop - self.start) / self.whole


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Within the block, this process is one of `torchrun`'s, or JAX uses all devices of this machine.

    A single process, or one on TensorFlow, trains alone.

    Raises:
        InputError: if `torchrun` started it with another backend.
        Lost: if the others do not answer.
    """
    backend = keras.backend.backend()
    size = int(os.environ.get("WORLD_SIZE", 1)) if "TORCHELASTIC_RUN_ID" in os.environ else 1
    if size > 1 and backend != "torch":
        raise InputError(
            f"torchrun starts processes for the torch backend, not for {backend!r}. Set KERAS_BACKEND=torch; on "
            "jax one plain process uses all devices of its machine."
        )
    if size > 1:
        with _process_group():
            yield
    elif backend == "jax" and keras.distribution.get_device_count() > 1:
        with _Devices().scope():
            yield
    else:
        yield


@contextlib.contextmanager
def _process_group() -> Iterator[None]:
    global _rank, _size
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    with _reporting_lost_processes():
        distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=WAIT)
    _rank, _size = distributed.get_rank(), distributed.get_world_size()
    filtering = keras.config.is_traceback_filtering_enabled()
    keras.config.disable_traceback_filtering()  # which would hide a `Lost` of one line in a layer's arguments
    try:
        yield
    except Lost:
        raise
    except Exception as error:
        get_error_handler().record_exception(error)  # for torchrun's report, which names the first one
        raise
    finally:
        _rank, _size = 0, 1
        end_step()
        if filtering:
            keras.config.enable_traceback_filtering()
        distributed.destroy_process_group()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Within the block, batches are computed whole, on one of JAX's devices."""
    distribution = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(distribution)


class _Devices(keras.distribution.DataParallel):
    """Keras' data parallelism for batches that the devices do not divide evenly too.

    Keras cuts a batch before the devices get it, into equal parts only. A batch of faces is small enough for each
    device to get all of it; what the scaling layer makes of it is cut, by XLA, which pads an uneven end.
    """

    def get_data_layout(self, data_shape: Sequence[int | None]) -> keras.distribution.TensorLayout:
        return keras.distribution.TensorLayout([None] * len(data_shape), self.device_mesh)

    def get_tensor_layout(self, path: str) -> keras.distribution.TensorLayout | None:
        if path.endswith(("normalization/output", "rescaling/output")):
            return keras.distribution.TensorLayout([self.batch_dim_name, None, None, None], self.device_mesh)
        return None


def size() -> int:
    """Return the number of processes."""
    return _size


def rank() -> int:
    """Return the rank of this process, from 0. Only process 0 writes files and logs."""
    return _rank


def replicas() -> int:
    """Return the number of model replicas that share each batch: processes, or JAX's devices."""
    distribution = keras.distribution.distribution()
    return distribution.num_model_replicas if distribution else _size


def part(count: int) -> Part:
    """Return this process's `Part` of `count` images; parts differ by at most one image.

    Raises:
        InputError: if there are fewer images than processes.
    """
    if count < _size:
        raise InputError(
            f"{_size} processes cannot share {count} images, the last batch or the validation split. Start at "
            f"most {count} processes, or choose another batch_size."
        )
    return Part(count * _rank // _size, count * (_rank + 1) // _size, count)


def start_step(count: int) -> None:
    """Set `running`: layers and optimizer get this process's part of a batch of `count` images."""
    global running
    running = part(count) if _size > 1 else None


def end_step() -> None:
    """Reset `running`: layers and optimizer get whole batches."""
    global running
    running = None


def whole(count: int) -> int:
    """Return the size of the whole batch, of which this process has `count` images."""
    return running.whole if running else count


def rows() -> slice:
    """Return the `slice` of the whole batch that this process has."""
    return running.rows if running else slice(None)


def average(gradients: list[Any]) -> list[Any]:
    """Return the gradients of the whole batch's mean loss from those of this process's part, as a `list`."""
    if running is None:
        return gradients
    flat = torch.cat([g.reshape(-1) for g in gradients]) * running.share
    parts = _summed(flat).split([g.numel() for g in gradients])
    return [values.view(g.shape) for values, g in zip(parts, gradients, strict=True)]


def batch_sum(tensor: Any) -> Any:
    """Return the sum of the processes' tensors, differentiable: the gradient is that of the whole batch's loss."""
    return _BatchSum.apply(tensor)


class _BatchSum(torch.autograd.Function if torch else object):  # type: ignore[misc]
    @staticmethod
    def forward(context: Any, tensor: Any) -> Any:
        return _summed(tensor.clone())

    @staticmethod
    def backward(context: Any, gradient: Any) -> Any:
        # Each process differentiates the mean over its own images, which `average` weights by their share.
        return _summed(gradient * running.share) / running.share


def sum_of(values: Mapping[str, float]) -> dict[str, float]:
    """Return {name: sum over the processes} of {name: number}, equal names in equal order in each."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    sums = _summed(torch.tensor(list(values.values()), dtype=torch.float64, device=device))
    return dict(zip(values, sums.tolist(), strict=True))


def of_first(value: T) -> T:
    """Return process 0's `value`, which must be picklable; a single process returns its own."""
    if _size == 1:
        return value
    box = [value]
    with _reporting_lost_processes():
        distributed.broadcast_object_list(box, src=0)
    return box[0]


def agree(values: Mapping[str, Any]) -> None:
    """Check that every process has the same {what: value} as process 0.

    Raises:
        InputError: in each process whose value differs.
    """
    for what, expected in of_first(values).items():
        if values[what] != expected:
            raise InputError(
                f"Process {_rank} has another {what} than process 0. Expected {expected!r}, received "
                f"{values[what]!r}. Start all processes with the same command, files and data."
            )


def _summed(tensor: Any) -> Any:
    with _reporting_lost_processes():
        distributed.all_reduce(tensor)
    return tensor


@contextlib.contextmanager
def _reporting_lost_processes() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # the base class of torch.distributed's errors
        reason = re.sub(r"^\[\S+\] ", "", first_line(error)).rstrip(".")
        raise Lost(
            f"Process {_rank} of {_size} lost the others: {reason}. The first error above shows the cause. Start "
            "the same command again to continue after the last whole epoch."
        ) from error
