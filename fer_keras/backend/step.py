"""A training step on tensors that stay on the device, and its replay as a CUDA graph.

`Step` computes a step of `Model.fit`, up to rounding. It also selects and blends the batch, from tables that are
copied to the device once per epoch, so that no data moves between CPU and device within an epoch. `GraphedStep`
captures the step once and replays it with one launch per step.
"""

import collections
import contextlib
import logging
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from fer_keras.backend import distribution
from fer_keras.core.errors import first_line

if keras.backend.backend() == "torch":
    import torch
    from torch.overrides import TorchFunctionMode
else:
    torch = None  # type: ignore[assignment]
    TorchFunctionMode = object  # type: ignore[assignment, misc]

LOGGER = logging.getLogger("fer_keras")
WARM_UP = 3  # steps before the capture, in which libraries are loaded and kernels selected


class Plan(typing.NamedTuple):
    """The images of an epoch's steps and how they are blended, as NumPy arrays or as tensors on the device.

    Attributes:
        rows: (n,) index of the training image at each position of the epoch.
        partners: (n,) index of the image blended into it; `None` without mixup and CutMix.
        shares: (steps, 2) float32, weights of an image's own pixels outside the box, and of its own target.
        boxes: (steps, 4), top, bottom, left and right of the pixels taken from the partners.
        soft_targets: (n, num_classes) the teachers' probabilities for each training image; `None` without
            teachers.
    """

    rows: Any
    partners: Any = None
    shares: Any = None
    boxes: Any = None
    soft_targets: Any = None


class Step:
    """A training step on tensors that stay in place. On a GPU, random numbers come from torch's own generator.

    Args:
        model: built and compiled `keras.Model` whose optimizer is built.
        images: (n, height, width, channels) uint8, the training images.
        targets: (n,) class numbers or (n, num_classes) distributions.
        batch_size: images per step; the last of an epoch may have fewer.
        class_weight: {class: weight in the loss}, or `None`.
        distillation: the teachers' share of the targets.
        teacher: function from augmented images, as the network sees them, to the teachers' targets (batch,
            num_classes); `None` without teachers or with `Plan.soft_targets`.
        view: name of the layer whose outputs are passed to `teacher`.
    """

    def __init__(
        self,
        model: keras.Model,
        images: Any,
        targets: np.ndarray,
        batch_size: int,
        *,
        class_weight: Mapping[int, float] | None = None,
        distillation: float = 0.0,
        teacher: Callable[[Any], Any] | None = None,
        view: str | None = None,
    ) -> None:
        self.model, self.batch_size = model, batch_size
        self.images, self.targets = ops.convert_to_tensor(images), ops.convert_to_tensor(targets)
        self.distillation, self.teacher, self.class_weight = distillation, teacher, None
        if class_weight:
            weights = [class_weight.get(i, 1.0) for i in range(model.output_shape[-1])]
            self.class_weight = ops.convert_to_tensor(np.array(weights, "float32"))
        self.network = keras.Model(model.input, [model.get_layer(view).output, model.output]) if teacher else model
        self.places = torch.arange(batch_size, device=self.images.device)
        self.done = torch.zeros(1, dtype=torch.long, device=self.images.device)  # steps of the epoch
        self.plan: Any = None  # a `Plan` on the device, from the first epoch on
        self.on_device, self.constants = self.images.is_cuda, _Constants()

    def start(self, plan: Plan) -> None:
        """Begin an epoch: copy its `Plan` over the last one."""
        tensors = Plan(
            *(None if array is None else torch.from_numpy(np.ascontiguousarray(array)) for array in plan)
        )
        if self.plan is None:
            self.plan = Plan(*(None if t is None else t.to(self.images.device, copy=True) for t in tensors))
        else:
            for here, there in zip(self.plan, tensors, strict=True):
                if here is not None:
                    here.copy_(there)
        self.done.zero_()

    def __call__(self, count: int) -> None:
        """Train on the next `count` images of the epoch."""
        with _on_device(self.constants) if self.on_device else contextlib.nullcontext():
            self._train(*self._batch(count))
            self.done.add_(1)

    def _batch(self, count: int) -> tuple[Any, Any]:
        plan, places = self.plan, self.done * self.batch_size + self.places[:count]
        rows = plan.rows[places]
        images, targets = self.images[rows], self.targets[rows]
        if plan.partners is not None:
            partners = plan.partners[places]
            share, target_share = plan.shares[self.done][0]
            images, others = images.float(), self.images[partners].float()
            blended = share * images + (1 - share) * others
            images = torch.where(self._inside(plan.boxes[self.done][0], images.shape[1:3]), others, blended)
            targets = target_share * targets + (1 - target_share) * self.targets[partners]
        if plan.soft_targets is not None:
            targets = torch.lerp(targets, plan.soft_targets[rows], self.distillation)
        return images, targets

    def _inside(self, box: Any, size: Sequence[int]) -> Any:
        """Return whether each pixel is in the box, (height, width, 1)."""
        top, bottom, left, right = box
        rows, columns = (torch.arange(length, device=box.device) for length in size)
        return ((rows >= top) & (rows < bottom))[:, None, None] & ((columns >= left) & (columns < right))[:, None]

    def _train(self, images: Any, targets: Any) -> None:
        """`keras.Model.train_step` with the teachers' targets for the augmented images."""
        model = self.model
        outputs = self.network(images, training=True)
        if self.teacher:
            view, outputs = outputs
            with torch.no_grad(), _autocast(model):
                targets = torch.lerp(targets, self.teacher(view), self.distillation)
        weights = None
        if self.class_weight is not None:
            weights = self.class_weight[targets.argmax(-1) if targets.ndim > 1 else targets]
        loss = model.compute_loss(images, targets, outputs, weights, training=True)
        model._loss_tracker.update_state(loss, sample_weight=len(images))
        variables = model.trainable_variables
        gradients = torch.autograd.grad(model.optimizer.scale_loss(loss), [v.value for v in variables])
        with torch.no_grad():
            model.optimizer.apply(gradients, variables)
            model.compute_metrics(images, targets, outputs, weights)


class GraphedStep:
    """Replays `step` as a CUDA graph, one per number of images, after `WARM_UP` runs.

    If the capture fails, the log says why and every step runs without a graph.

    Args:
        step: `Step` on a CUDA device.
    """

    def __init__(self, step: Step) -> None:
        self.step, self.stream = step, torch.cuda.Stream()
        self.graphs: dict[int, Any] = {}  # by number of images
        self.ran: collections.Counter[int] = collections.Counter()
        self.capturable = True

    def start(self, plan: Plan) -> None:
        """Begin an epoch, see `Step.start`."""
        self.step.start(plan)

    def __call__(self, count: int) -> None:
        """Train on the next `count` images of the epoch."""
        if self.capturable and count not in self.graphs and self.ran[count] == WARM_UP:
            self._capture(count)
        if count in self.graphs:
            self.graphs[count].replay()
            return
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            self.step(count)
        torch.cuda.current_stream().wait_stream(self.stream)
        self.ran[count] += 1

    def _capture(self, count: int) -> None:
        graph = torch.cuda.CUDAGraph()
        try:
            # Other threads, such as a data loader's, may continue to use the device.
            with torch.cuda.graph(graph, stream=self.stream, capture_error_mode="thread_local"):
                self.step(count)
        except RuntimeError as error:  # raised during the capture: nothing has been computed
            self.capturable = False
            LOGGER.warning(
                "The training step cannot be captured: %s. Training continues without.",
                first_line(error).rstrip("."),
            )
        else:
            self.graphs[count] = graph


def obstacle(*, sam: float = 0.0) -> str | None:
    """Return why a training step cannot be captured here, as a clause, or `None` if it may work."""
    if keras.backend.backend() != "torch":
        return f"the {keras.backend.backend()} backend compiles its steps itself"
    if not torch.cuda.is_available():
        return "there is no CUDA device"
    if distribution.size() > 1:
        return "several processes share each batch"
    return "sharpness-aware minimization needs two different steps in turn" if sam else None


class _Constants(TorchFunctionMode):
    """Caches the numbers and arrays that a step copies to the device, so that only the first step copies them."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple, Any] = {}

    def __torch_function__(
        self,
        function: Callable,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if function not in (torch.as_tensor, torch.tensor) or isinstance(args[0], torch.Tensor):
            return function(*args, **kwargs)
        data = np.asarray(args[0])
        key = (data.dtype.str, data.shape, data.tobytes(), kwargs.get("dtype"), str(kwargs.get("device")))
        if key not in self.kept:
            self.kept[key] = function(*args, **kwargs)
        return self.kept[key].clone()


@contextlib.contextmanager
def _on_device(constants: "_Constants") -> Iterator[None]:
    """Within the block, constants stay on the device and random numbers come from torch's own generator.

    Keras seeds a generator for each call, so a graph would repeat the same random numbers in every replay.
    """
    from keras.src.backend.torch import random

    seeded = random.torch_seed_generator
    random.torch_seed_generator = lambda seed: None
    try:
        with constants:
            yield
    finally:
        random.torch_seed_generator = seeded


def _autocast(model: keras.Model) -> Any:
    """Within the block, float32 models compute in the precision of `model`."""
    half = any(layer.compute_dtype == "bfloat16" for layer in model.layers)
    device = model.trainable_variables[0].value.device.type
    return torch.autocast(device, torch.bfloat16, enabled=half, cache_enabled=False)
