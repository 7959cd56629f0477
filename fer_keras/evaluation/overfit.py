"""The verdict of the overfit check."""

import math
from collections.abc import Sequence
from typing import Any

from fer_keras.data import EMOTIONS

CHANCE_LOSS = math.log(len(EMOTIONS))  # of equal probabilities, 1.946 nats
ZERO_LOSS = 0.05 * CHANCE_LOSS  # what counts as "down to 0": 5 % of chance is left
AT_ONCE_EPOCHS = 20  # the study says "almost at once"; halfway to its first good epoch is ours
WELL_EPOCHS = 80  # the study's good results took 40 to 60 epochs; twice the lower end is ours
BARELY_DOWN = 0.5  # the study says "barely down"; more than half of the first loss left is ours


def overfit_verdict(losses: Sequence[float]) -> dict[str, Any]:
    """Return the verdict of the overfit check: how fast the training loss on one fixed batch goes down to 0.

    Args:
        losses: training loss (nats) of each epoch, at least one.

    Returns:
        `dict`: `verdict` ("overfits at once", "learns well", "learns slowly" or "gradients do not flow"),
        `epochs_to_zero` (first epoch, from 1, whose loss is below `ZERO_LOSS`, or `None`), `first_loss` and
        `last_loss` (`None` if not finite), `text` (one sentence with the figures), `losses` (as given).
    """
    first, last = float(losses[0]), float(losses[-1])
    epochs = next((epoch for epoch, loss in enumerate(losses, 1) if loss < ZERO_LOSS), None)
    verdict = _verdict(epochs, first, last)
    down = f"to {last:.3f} in {len(losses)}" if epochs is None else f"to below {ZERO_LOSS:.3f} in {epochs}"
    return {
        "verdict": verdict,
        "epochs_to_zero": epochs,
        "first_loss": first if math.isfinite(first) else None,
        "last_loss": last if math.isfinite(last) else None,
        "text": f"{verdict.capitalize()}: training loss on one fixed batch from {first:.3f} {down} epochs.",
        "losses": list(losses),
    }


def _verdict(epochs_to_zero, first, last):
    if epochs_to_zero is None:
        return "learns slowly" if last < BARELY_DOWN * first else "gradients do not flow"
    if epochs_to_zero <= AT_ONCE_EPOCHS:
        return "overfits at once"
    return "learns well" if epochs_to_zero <= WELL_EPOCHS else "learns slowly"
