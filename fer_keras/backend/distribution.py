"""Data-parallel training: several processes or devices share each batch, with the results of a single one.

On torch, `torchrun` starts the processes. Each computes a part of every batch. Batch-normalization statistics,
gradients and metrics are reduced over the whole batch. (PyTorch's `DistributedDataParallel` hooks into calls of a
module, which Keras' `fit` does not make, and does not synchronize batch statistics on CPUs.) On JAX, one process
uses several devices through `keras.distribution`.
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

WAIT = datetime.timedelta(minutes=10)  # without an answer from a process, after which the others stop

_rank, _size = 0, 1
running: Any = None  # this process's `Part` of the current training step, if several processes train


class Lost(InputError):
    """Another process ended or does not respond."""


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

    A single process trains alone, and so does one on TensorFlow.

    Raises:
        InputError: if `torchrun` started it with another backend.
        Lost: if the others do not respond.
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
    keras.config.disable_traceback_filtering()  # it would bury a one-line `Lost` in a layer's arguments
    try:
        yield
    except Lost:
        raise
    except Exception as error:
        get_error_handler().record_exception(error)  # for torchrun's report of the first error
        raise
    finally:
        _rank, _size = 0, 1
        end_step()
        if filtering:
            keras.config.enable_traceback_filtering()
        distributed.destroy_process_group()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Within the block, whole batches are computed on one JAX device."""
    distribution = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(distribution)


class _Devices(keras.distribution.DataParallel):
    """Keras' data parallelism, also for batch sizes that the number of devices does not divide.

    Keras splits a batch before it reaches the devices, into equal parts only. A batch of faces is small, so each
    device gets all of it. XLA then shards the output of the scaling layer and pads the last part.
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
    """Return the size of the whole batch if this process has `count` of its images."""
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
        # Each process differentiates the mean over its own images; `average` weights it by their share.
        return _summed(gradient * running.share) / running.share


def sum_of(values: Mapping[str, float]) -> dict[str, float]:
    """Return {name: sum over the processes} of {name: number}; the names must be equal and in equal order."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    sums = _summed(torch.tensor(list(values.values()), dtype=torch.float64, device=device))
    return dict(zip(values, sums.tolist(), strict=True))


def of_first(value: T) -> T:
    """Return the `value` of process 0, which must be picklable."""
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
