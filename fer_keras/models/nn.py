"""Fully connected networks."""

from fer_keras.models.blocks import classifier


def nn(
    x,
    num_classes,
    *,
    units=(1024, 1024, 1024),
    normalization=None,
    activation="relu",
    dropout=0.0,
    l2=0.0,
):
    """Dense layers on the flattened image.

    Args:
        x: images, (n, height, width, channels).
        num_classes: `int`.
        units: width of each hidden layer, so also the depth and the shape.
        normalization: `None`, `"batch"` or `"layer"`, between each hidden layer and its activation.
        activation: `"relu"` or `"leaky_relu"`.
        dropout: fraction dropped after each hidden layer.
        l2: factor of the penalty on the squared weights of every kernel.

    Returns:
        Logits, (n, num_classes).
    """
    return classifier(
        x, num_classes, units=units, normalization=normalization, activation=activation, dropout=dropout, l2=l2
    )
