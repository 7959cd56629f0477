"""What was found, drawn: boxes and bars on the photograph, and what decided on the face. Pillow alone."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fer_keras.data import EMOTIONS

# Okabe and Ito's colours, which colour-blind readers tell apart; grey for neutral.
COLORS = dict(
    zip(EMOTIONS, ("#D55E00", "#009E73", "#CC79A7", "#F0E442", "#0072B2", "#E69F00", "#BBBBBB"), strict=True)
)
PAPER, INK = (20, 20, 20, 190), "white"
ENLARGED = 288  # pixels of the side of an explained face


def annotate(rgb, faces):
    """Return the photograph as a PIL image with a box, the emotion and the probabilities of each face.

    Args:
        rgb: uint8 (height, width, 3).
        faces: list of `Face`.
    """
    image = Image.fromarray(rgb)
    draw = ImageDraw.Draw(image, "RGBA")
    size = max(11, min(image.size) // 40)
    for face in reversed(faces):  # the largest face last, over the others
        x, y, width, height = face.box
        color = COLORS[face.emotion]
        draw.rectangle((x, y, x + width, y + height), outline=color, width=max(2, size // 6))
        label(draw, x, y, face, size)
        panel = bars_size(size)
        right = x + width + size // 2
        left = right if right + panel[0] <= image.width else max(x - size // 2 - panel[0], 0)
        bars(draw, left, max(min(y, image.height - panel[1]), 0), face, size)
    return image


def label(draw, x, y, face, size):
    number = "" if face.track is None else f"{face.track}: "
    text = f"{number}{face.emotion} {100 * face.probabilities[face.emotion]:.0f} %"
    font = ImageFont.load_default(size)
    top = max(y - round(1.5 * size), 0)
    draw.rectangle((x, top, x + font.getlength(text) + size, top + round(1.5 * size)), fill=COLORS[face.emotion])
    draw.text((x + size // 2, top + 0.75 * size), text, fill="black", font=font, anchor="lm")


def bars_size(size):
    return 11 * size, round(1.25 * size * len(EMOTIONS)) + size // 2


def bars(draw, left, top, face, size):
    """Draw the probabilities of `face` as bars, in letters of `size` pixels."""
    font = ImageFont.load_default(round(0.9 * size))
    width, height = bars_size(size)
    draw.rectangle((left, top, left + width, top + height), fill=PAPER)
    for i, (name, probability) in enumerate(face.probabilities.items()):
        middle = top + size // 4 + (i + 0.5) * 1.25 * size
        draw.text((left + 4.5 * size, middle), name, fill=INK, font=font, anchor="rm")
        start = left + 5 * size
        draw.rectangle(
            (start, middle - 0.4 * size, start + 5.5 * size * probability + 1, middle + 0.4 * size),
            fill=COLORS[name],
        )


def explanation(face, heat):
    """Return a PIL image: the face as the classifier saw it, what decided laid over it, the probabilities.

    Args:
        face: `Face`.
        heat: (48, 48), as `FER.explain` gives it. Orange held the emotion up, blue spoke against it; the strongest
            place of the face has the full colour.
    """
    grey = np.repeat(face.crop, 3, axis=2)
    size = ENLARGED // 14
    gap, (panel, height) = size // 2, bars_size(size)
    image = Image.new("RGB", (2 * ENLARGED + panel + 4 * gap, ENLARGED + 2 * size + gap), "white")
    image.paste(enlarged(grey), (gap, 2 * size))
    image.paste(enlarged(tinted(grey, heat)), (2 * gap + ENLARGED, 2 * size))
    draw = ImageDraw.Draw(image, "RGBA")
    font = ImageFont.load_default(size)
    strongest = f"what holds up {face.emotion!r}: {100 * max(heat.max(), 0):.0f} points at most"
    draw.text((gap, size), "what the model sees", fill="black", font=font, anchor="lm")
    draw.text((2 * gap + ENLARGED, size), strongest, fill="black", font=font, anchor="lm")
    bars(draw, 3 * gap + 2 * ENLARGED, 2 * size + (ENLARGED - height) // 2, face, size)
    return image


def tinted(grey, heat):
    """Return `grey` (48, 48, 3) with the positive `heat` in orange and the negative in blue."""
    strength = (np.abs(heat) / max(np.abs(heat).max(), 1e-6))[..., None]
    color = np.where(heat[..., None] > 0, (230, 90, 0), (0, 90, 200))
    return (grey + 0.7 * strength * (color - grey.astype(float))).round().astype(np.uint8)


def enlarged(pixels):
    return Image.fromarray(pixels).resize((ENLARGED, ENLARGED), Image.Resampling.BICUBIC)
