"""The networks written by hand in JAX: one jitted step, weights and statistics in plain lists."""

import functools
import math

import jax
import jax.numpy as jnp
from jax import lax, nn, random

DIMENSIONS = ("NHWC", "HWIO", "NHWC")


class Weights:
    """Hands out the next weight, or makes it the first time through."""

    def __init__(self, key, values=None):
        self.key, self.values, self.made, self.place = key, values, [], 0

    def __call__(self, shape, fill=None):
        self.place += 1
        if self.values is not None:
            return self.values[self.place - 1]
        self.key, own = random.split(self.key)
        fan = math.prod(shape[:-1]) + shape[-1]
        value = jnp.full(shape, fill) if fill is not None else random.normal(own, shape) * (2 / fan) ** 0.5
        self.made.append(value)
        return value


def cnn(x, weights, statistics, key, dtype, *, filters, repeats, units, convolution_dropout, dropout):
    for width in filters:
        for _ in range(repeats):
            x = convolve(x, weights, width, 3, 1, dtype) + weights((width,), 0.0).astype(dtype)
            x = nn.relu(batch_norm(x, weights, statistics))
        x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        key, x = drop(key, x, convolution_dropout)
    x = x.reshape(len(x), -1)
    for width in units:
        x = x @ weights((x.shape[1], width)).astype(dtype) + weights((width,), 0.0).astype(dtype)
        x = layer_norm(x, weights)
        key, x = drop(key, nn.relu(x), dropout)
    return dense(x, weights)


def resnet(x, weights, statistics, key, dtype, *, filters, blocks, stem_stride, dropout):
    x = convolve(x, weights, filters[0], 3 * stem_stride, stem_stride, dtype)
    for stage, (width, count) in enumerate(zip(filters, blocks, strict=True)):
        for block in range(count):
            stride = 2 if stage and not block else 1
            y = nn.relu(batch_norm(x, weights, statistics))
            if stride > 1 or x.shape[-1] != width:
                x = convolve(y, weights, width, 1, stride, dtype)
            y = convolve(y, weights, width, 3, stride, dtype)
            x = x + convolve(nn.relu(batch_norm(y, weights, statistics)), weights, width, 3, 1, dtype)
    x = nn.relu(batch_norm(x, weights, statistics)).mean((1, 2))
    return dense(drop(key, x, dropout)[1], weights)


def convolve(x, weights, width, size, stride, dtype):
    kernel = weights((size, size, x.shape[-1], width)).astype(dtype)
    return lax.conv_general_dilated(x, kernel, (stride, stride), "SAME", dimension_numbers=DIMENSIONS)


def batch_norm(x, weights, statistics):
    mean, variance = jnp.mean(x, (0, 1, 2), dtype="float32"), jnp.var(x.astype("float32"), (0, 1, 2))
    statistics += [mean, variance]
    scale = weights(mean.shape, 1.0) * lax.rsqrt(variance + 1e-3)
    return (x * scale + (weights(mean.shape, 0.0) - mean * scale)).astype(x.dtype)


def layer_norm(x, weights):
    wide = x.astype("float32")
    normal = (wide - wide.mean(-1, keepdims=True)) * lax.rsqrt(wide.var(-1, keepdims=True) + 1e-3)
    return (normal * weights(x.shape[1:], 1.0) + weights(x.shape[1:], 0.0)).astype(x.dtype)


def dense(x, weights):
    return x.astype("float32") @ weights((x.shape[1], 7)) + weights((7,), 0.0)


def drop(key, x, rate):
    key, own = random.split(key)
    return key, jnp.where(random.bernoulli(own, 1 - rate, x.shape), x / (1 - rate), 0)


NETWORKS = {"cnn": cnn, "resnet": resnet}


class Trainer:
    """A jitted training step at a time, with Adam; see `reference_torch.Trainer`."""

    def __init__(self, model, options, precision):
        self.dtype = jnp.bfloat16 if precision == "mixed_bfloat16" else jnp.float32
        self.network = functools.partial(NETWORKS[model], dtype=self.dtype, **options)
        maker = Weights(random.key(0))
        statistics = []
        self.network(jnp.zeros((1, 48, 48, 1), self.dtype), maker, statistics, random.key(0))
        first, second = ([jnp.zeros_like(w) for w in maker.made] for _ in range(2))
        step, total, hits = (jnp.zeros(()) for _ in range(3))
        self.state = maker.made, first, second, statistics, random.key(1), step, total, hits
        self.step = jax.jit(self._step, donate_argnums=0)

    def parameters(self):
        return sum(value.size for value in [*self.state[0], *self.state[3]])

    def _step(self, state, images, labels):
        weights, first, second, moving, key, step, total, hits = state
        key, flips, drops = random.split(key, 3)
        x = (images.astype("float32") - 129.0) / 65.0
        x = jnp.where(random.bernoulli(flips, 0.5, (len(x), 1, 1, 1)), x[:, :, ::-1], x).astype(self.dtype)

        def loss(weights):
            statistics = []
            logits = self.network(x, Weights(None, weights), statistics, drops)
            chosen = jnp.take_along_axis(nn.log_softmax(logits), labels[:, None], 1)
            return -chosen.mean(), (logits, statistics)

        (value, (logits, statistics)), gradients = jax.value_and_grad(loss, has_aux=True)(weights)
        step += 1
        rate = 1e-3 * jnp.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        first = [0.9 * m + 0.1 * g for m, g in zip(first, gradients, strict=True)]
        second = [0.999 * v + 0.001 * g * g for v, g in zip(second, gradients, strict=True)]
        weights = [w - rate * m / (jnp.sqrt(v) + 1e-7) for w, m, v in zip(weights, first, second, strict=True)]
        moving = [0.99 * old + 0.01 * new for old, new in zip(moving, statistics, strict=True)]
        total, hits = total + value * len(x), hits + (logits.argmax(1) == labels).sum()
        return weights, first, second, moving, key, step, total, hits

    def train(self, batches):
        for images, labels in batches:
            self.state = self.step(self.state, images, labels)
        jax.block_until_ready(self.state)
