"""Blocks that two or more architectures use: a tensor in, a tensor out."""

from keras import layers, regularizers

from fer_keras.backend.layers import BatchNormalization, Conv2D, Dropout, ReLU
from fer_keras.core.errors import InputError

NORMALIZATIONS = {None: None, "batch": BatchNormalization, "layer": layers.LayerNormalization}
ACTIVATIONS = {"relu": ReLU, "leaky_relu": layers.LeakyReLU}


def classifier(x, num_classes, *, units, normalization, activation, dropout, l2):
    """Dense layers of the widths `units` on flattened features, then the logits; (n, ...) to (n, num_classes)."""
    x = layers.Flatten(name="flatten")(x)
    for i, width in enumerate(units, 1):
        name = f"dense_{i}"
        x = layers.Dense(width, kernel_regularizer=l2_penalty(l2), name=name)(x)
        x = normalize(x, normalization, name)
        x = activate(x, activation, name)
        if dropout:
            x = Dropout(dropout, name=f"{name}_dropout")(x)
    return layers.Dense(num_classes, kernel_regularizer=l2_penalty(l2), dtype="float32", name="logits")(x)


def convolution(x, channels, size, stride, name, l2=0.0):
    """Apply a convolution with padding and without a bias, which the normalization after it would take away."""
    return Conv2D(
        channels,
        size,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        kernel_regularizer=l2_penalty(l2),
        name=name,
    )(x)


def normalize(x, normalization, name):
    """Apply `None`, `"batch"` or `"layer"` normalization."""
    layer = lookup(NORMALIZATIONS, normalization, "normalization")
    return layer(name=f"{name}_{normalization}norm")(x) if layer else x


def activate(x, activation, name):
    """Apply `"relu"` or `"leaky_relu"`."""
    return lookup(ACTIVATIONS, activation, "activation")(name=f"{name}_{activation}")(x)


def l2_penalty(factor):
    """Return the penalty `factor` x sum of squared weights, or `None` for 0."""
    return regularizers.L2(factor) if factor else None


def lookup(table, key, what):
    """Return `table[key]`, or tell which keys there are."""
    if key not in table:
        raise InputError(f"Unknown {what} {key!r}. Expected one of: {', '.join(map(repr, table))}.")
    return table[key]
