"""The verdict of the overfit check."""

import math
from collections.abc import Sequence
from typing import Any

ZERO_SHARE = 0.05  # of the loss at chance level: below it, the loss counts as 0
AT_ONCE_EPOCHS = 20  # the study says "almost at once"; halfway to its first good epoch is ours
WELL_EPOCHS = 80  # the study's good results took 40 to 60 epochs; twice the lower end is ours
BARELY_DOWN = 0.5  # the study says "barely down"; more than half of the first loss left is ours


def chance_loss(num_classes: int) -> float:
    """Return the cross-entropy of equal probabilities in nats: ln(number of classes), 1.946 for seven."""
    return math.log(num_classes)


def zero_loss(num_classes: int) -> float:
    """Return the loss in nats below which the overfit check counts it as 0: 5 % of `chance_loss`."""
    return ZERO_SHARE * chance_loss(num_classes)


def overfit_verdict(losses: Sequence[float], num_classes: int) -> dict[str, Any]:
    """Return the verdict of the overfit check: how fast the training loss on one fixed batch goes down to 0.

    Args:
        losses: training loss (nats) of each epoch, at least one.
        num_classes: of the data, from 2.

    Returns:
        `dict`: `verdict` ("overfits at once", "learns well", "learns slowly" or "gradients do not flow"),
        `epochs_to_zero` (first epoch, from 1, whose loss is below `zero_loss`, or `None`), `first_loss` and
        `last_loss` (`None` if not finite), `text` (one sentence with the figures), `losses` (as given).
    """
    first, last = float(losses[0]), float(losses[-1])
    zero = zero_loss(num_classes)
    epochs = next((epoch for epoch, loss in enumerate(losses, 1) if loss < zero), None)
    verdict = _verdict(epochs, first, last)
    down = f"to {last:.3f} in {len(losses)}" if epochs is None else f"to below {zero:.3f} in {epochs}"
    return {
        "verdict": verdict,
        "epochs_to_zero": epochs,
        "first_loss": first if math.isfinite(first) else None,
        "last_loss": last if math.isfinite(last) else None,
        "text": f"{verdict.capitalize()}: training loss on one fixed batch from {first:.3f} {down} epochs.",
        "losses": list(losses),
    }


def _verdict(epochs_to_zero: int | None, first: float, last: float) -> str:
    if epochs_to_zero is None:
        return "learns slowly" if last < BARELY_DOWN * first else "gradients do not flow"
    if epochs_to_zero <= AT_ONCE_EPOCHS:
        return "overfits at once"
    return "learns well" if epochs_to_zero <= WELL_EPOCHS else "learns slowly"
