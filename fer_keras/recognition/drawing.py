"""Faces drawn on their photograph with labels and bars, and saliency maps. Pillow alone."""

import colorsys
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont

from fer_keras.data import EMOTIONS
from fer_keras.recognition import layout
from fer_keras.recognition.faces import Face

# Okabe and Ito's colors, which color-blind readers can distinguish; gray for neutral.
COLORS = dict(
    zip(EMOTIONS, ("#D55E00", "#009E73", "#CC79A7", "#F0E442", "#0072B2", "#E69F00", "#BBBBBB"), strict=True)
)
# For classes with other names: sky blue of the same palette, then Paul Tol's "muted".
OTHER_COLORS = ("#56B4E9", "#AA4499", "#999933", "#332288", "#CC6677", "#44AA99", "#882255", "#DDCC77", "#117733")
PAPER, INK = (20, 20, 20, 190), "white"
ENLARGED = 288  # pixels of the side of the face in a saliency map
SMALLEST, LARGEST = 11, 64  # pixels of letters
MOST_BARS = 8  # the likeliest, where there are more classes
LONGEST_NAME = 14  # letters of a class beside its bar


def annotate(rgb: np.ndarray, faces: Sequence[Face]) -> Image.Image:
    """Return the photograph as a PIL image with a box and a label for each face, and bars where there is room.

    The label has the number of the face (its track in a video), the emotion and its probability; where the picture
    is too crowded for that, less of it.

    Args:
        rgb: uint8 (height, width, 3).
        faces: list of `Face`.
    """
    image = Image.fromarray(rgb)
    if not faces:
        return image
    draw = ImageDraw.Draw(image, "RGBA")
    size = letter_size(image.size, faces)
    font = ImageFont.load_default(size)
    boxes = [face.box for face in faces]
    texts = labels(faces)
    sizes = [[(font.getlength(text) + size, round(1.5 * size)) for text in options] for options in texts]
    placed = layout.place_labels(boxes, sizes, image.size)
    panel = bars_size(faces[0].probabilities, size)
    panels = layout.place_panels(boxes, [place for _, place in placed], panel, image.size)
    for face, options, (i, place), bars_place in zip(faces, texts, placed, panels, strict=True):
        color = colors(face.probabilities)[face.emotion]
        x, y, width, height = face.box
        draw.rectangle((x, y, x + width, y + height), outline=color, width=max(2, size // 6))
        label(draw, place, options[i], color, font)
        if bars_place:
            bars(draw, *bars_place[:2], face, size)
    return image


def letter_size(image: Sequence[int], faces: Sequence[Face]) -> int:
    """Return the pixels of letters that fit faces of the usual size in this picture."""
    face = statistics.median(max(face.box[2:]) for face in faces)
    return max(SMALLEST, min(int(face / 7), min(image) // 20, LARGEST))


def labels(faces: Sequence[Face]) -> list[list[str]]:
    """Return the labels of each face, the longest first."""
    numbers = layout.reading_order([face.box for face in faces])
    return [label_texts(face, number, len(faces)) for face, number in zip(faces, numbers, strict=True)]


def label_texts(face: Face, number: int, count: int) -> list[str]:
    number = face.track or number
    percent = f"{face.emotion} {100 * face.probabilities[face.emotion]:.0f} %"
    if face.answer != face.emotion:
        percent = face.answer
    if face.track is None and count == 1:
        return [percent, face.emotion]
    return [f"{number}: {percent}", f"{number}: {face.emotion}", str(number)]


def label(draw: ImageDraw.ImageDraw, place: Sequence[float], text: str, color: str, font: Any) -> None:
    x, y, width, height = place
    draw.rectangle((x, y, x + width, y + height), fill=color)
    draw.text((x + width / 2, y + height / 2), text, fill=ink(color), font=font, anchor="mm")


def ink(color: str) -> str:
    """Return the color of letters that can be read on `color`: black or white."""
    return "black" if cast(int, ImageColor.getcolor(color, "L")) > 110 else "white"


def colors(names: Iterable[str]) -> dict[str, str]:
    """Return `{class name: color}` for all of `names`: the emotions' own, further ones for other classes."""
    others = [name for name in names if name not in COLORS]
    return {name: COLORS.get(name) or other_color(others.index(name)) for name in names}


def other_color(i: int) -> str:
    if i < len(OTHER_COLORS):
        return OTHER_COLORS[i]
    hue = 0.618 * i % 1  # the golden ratio spreads hues evenly, however many there are
    return "#" + "".join(f"{round(255 * value):02X}" for value in colorsys.hsv_to_rgb(hue, 0.6, 0.85))


def bars_size(probabilities: Mapping[str, float], size: int) -> tuple[int, int]:
    """Return (width, height) of a panel of bars in letters of `size` pixels."""
    names = [shortened(name) for name in probabilities]
    font = ImageFont.load_default(round(0.9 * size))
    rows = min(len(names), MOST_BARS)
    return round(max(map(font.getlength, names)) + 6.5 * size), round(1.25 * size * rows) + size // 2


def bars(draw: ImageDraw.ImageDraw, left: float, top: float, face: Face, size: int) -> None:
    """Draw the probabilities of `face` as bars, in letters of `size` pixels."""
    font = ImageFont.load_default(round(0.9 * size))
    width, height = bars_size(face.probabilities, size)
    palette = colors(face.probabilities)
    draw.rectangle((left, top, left + width, top + height), fill=PAPER, outline=palette[face.emotion])
    likeliest = sorted(face.probabilities, key=face.probabilities.__getitem__, reverse=True)[:MOST_BARS]
    start = left + width - 6 * size
    for i, name in enumerate(name for name in face.probabilities if name in likeliest):
        middle = top + size // 4 + (i + 0.5) * 1.25 * size
        draw.text((start - size // 3, middle), shortened(name), fill=INK, font=font, anchor="rm")
        end = start + 5.5 * size * face.probabilities[name] + 1
        draw.rectangle((start, middle - 0.4 * size, end, middle + 0.4 * size), fill=palette[name])


def shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def saliency_map(face: Face, heat: np.ndarray) -> Image.Image:
    """Return a PIL image: the face as the classifier saw it, its occlusion sensitivity, its probabilities.

    Args:
        face: `Face`.
        heat: (48, 48), as `FER.saliency` returns it. Covering orange places lowers the probability of the emotion,
            covering blue ones raises it; the strongest place of the face has the full color.
    """
    grey = np.repeat(face.crop, 3, axis=2)
    size = ENLARGED // 14
    gap, (panel, height) = size // 2, bars_size(face.probabilities, size)
    image = Image.new("RGB", (2 * ENLARGED + panel + 4 * gap, ENLARGED + 2 * size + gap), "white")
    image.paste(enlarged(grey), (gap, 2 * size))
    image.paste(enlarged(tinted(grey, heat)), (2 * gap + ENLARGED, 2 * size))
    draw = ImageDraw.Draw(image, "RGBA")
    font = ImageFont.load_default(size)
    strongest = f"covering lowers {face.emotion!r} by up to {100 * max(heat.max(), 0):.0f} points"
    draw.text((gap, size), "input of the model", fill="black", font=font, anchor="lm")
    draw.text((2 * gap + ENLARGED, size), strongest, fill="black", font=font, anchor="lm")
    bars(draw, 3 * gap + 2 * ENLARGED, 2 * size + (ENLARGED - height) // 2, face, size)
    return image


def tinted(grey: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Return `grey` (48, 48, 3) with the positive `heat` in orange and the negative in blue."""
    strength = (np.abs(heat) / max(np.abs(heat).max(), 1e-6))[..., None]
    color = np.where(heat[..., None] > 0, (230, 90, 0), (0, 90, 200))
    return (grey + 0.7 * strength * (color - grey.astype(float))).round().astype(np.uint8)


def enlarged(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels).resize((ENLARGED, ENLARGED), Image.Resampling.BICUBIC)
