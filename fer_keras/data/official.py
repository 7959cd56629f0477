"""Whether a copy of FER-2013 is whole, by the official number of images of each usage."""

import numpy as np

from fer_keras.data.faces import USAGES

SIZES = {"Training": 28_709, "PublicTest": 3_589, "PrivateTest": 3_589, "Test": 7_178}
NEARLY_WHOLE = 0.95  # of the images; published copies lack some that are blank, doubled or of one class


def shortfall(usages: np.ndarray) -> str | None:
    """Return what a copy of FER-2013 in any format lacks: a usage has too few images, another nearly all.

    Args:
        usages: `(n,)`, as in `Faces`.

    Returns:
        A sentence, or None if nothing is missing, the images are not FER-2013's by their number, or the copy is
        whole but for PrivateTest, as the challenge published it first.
    """
    counts = {name: int((usages == code).sum()) for code, name in enumerate(USAGES)}
    expected = ("Training", "Test") if counts["Test"] else ("Training", "PublicTest", "PrivateTest")
    short = [name for name in expected if counts[name] < NEARLY_WHOLE * SIZES[name]]
    is_other = any(counts[name] > SIZES[name] for name in expected)
    is_public = short == ["PrivateTest"] and not counts["PrivateTest"]
    if is_other or is_public or not short or len(short) == len(expected):
        return None
    missing = " and ".join(f"{counts[name]:,} of the {SIZES[name]:,} {name} images" for name in short)
    whole = ", ".join(f"{counts[name]:,} {name}" for name in expected if name not in short)
    return f"It has {missing} of FER-2013, beside {whole}: the copy may be cut short or unpacked in part."
