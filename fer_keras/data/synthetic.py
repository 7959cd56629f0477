"""Synthetic faces: a stand-in for FER-2013 when it is missing, generated from a seed.

About forty random numbers describe a face: the effect of the emotion on brows, eyes and mouth, and independent
properties (person, pose, light, camera). Shapes are signed distance functions on the pixel grid. So a pose is a
change of coordinates, edges are antialiased, and a batch of faces is rendered at once.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fer_keras.data.faces import EMOTIONS, SIDE, Faces, make_faces

Between = Callable[[float, float], np.ndarray]  # random numbers (n, 1, 1) of a range
Some = Callable[[float], np.ndarray]  # 1.0 in a share of the faces, 0.0 in the others
Paint = Callable[..., None]  # distance, grey level, strength
Moves = Mapping[str, np.ndarray]
COUNTS = (2800, 350, 350)
BATCH = 50
# Parameters of a full expression, in half image heights unless noted; all 0 is the neutral face.
MOVES = (
    "inner", "outer", "eyes", "curve", "open", "width", "lift", "teeth", "wrinkle", "frown", "folds", "forehead",
)  # fmt: skip
EXPRESSIONS = {  #  brow ends raised | lids | mouth: corners up, gap, half width, upper lip | teeth and lines, 0..1
    "angry": (-0.13, 0.04, -0.030, -0.07, 0.06, -0.04, 0.02, 0.7, 0.2, 1.0, 0.3, 0.0),
    "disgust": (-0.09, -0.04, -0.055, -0.09, 0.09, -0.02, 0.09, 0.6, 1.0, 0.3, 0.9, 0.0),
    "fear": (0.12, -0.02, 0.050, -0.05, 0.15, 0.05, 0.00, 0.6, 0.0, 0.3, 0.1, 0.8),
    "happy": (0.01, 0.02, -0.025, 0.14, 0.13, 0.11, 0.00, 1.0, 0.0, 0.0, 0.8, 0.0),
    "sad": (0.10, -0.07, -0.035, -0.10, 0.00, -0.06, 0.00, 0.0, 0.0, 0.3, 0.2, 0.3),
    "surprise": (0.14, 0.13, 0.060, 0.00, 0.32, -0.10, 0.00, 0.2, 0.0, 0.0, 0.0, 0.8),
    "neutral": (0.0,) * len(MOVES),
}


def faces(seed: int = 0) -> Faces:
    """Return 2,800 Training, 350 PublicTest and 350 PrivateTest faces, equally many of each emotion."""
    images, labels = draw(sum(COUNTS), seed)
    made = make_faces(images, labels, np.repeat([0, 1, 2], COUNTS), "synthetic")
    return dataclasses.replace(made, synthetic=True)


def draw(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return uint8 images `(count, 48, 48, 1)` and int64 labels `(count,)`, balanced and shuffled.

    Another `count` gives other faces, even with the same seed, because the labels are shuffled together.
    """
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(count) % len(EMOTIONS))
    batches = [draw_batch(labels[i : i + BATCH], random) for i in range(0, count, BATCH)]
    return np.concatenate(batches)[..., None], labels


def draw_batch(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return uint8 `(n, 48, 48)`."""

    def between(low: float, high: float) -> np.ndarray:
        return random.uniform(low, high, (len(labels), 1, 1)).astype(np.float32)

    def some(share: float) -> np.ndarray:
        return (between(0, 1) < share).astype(np.float32)

    move = expression(labels, between, random)
    x, y, edge = pose(between)
    skin, hair = between(90, 225), between(15, 110)
    canvas = background(x, y, between)

    def paint(distance: np.ndarray, tone: Any, strength: Any = 1.0) -> None:
        nonlocal canvas
        canvas = canvas + np.clip(0.5 - distance / edge, 0, 1) * strength * (tone - canvas)

    head(paint, x, y, skin, hair, between, some)
    canvas = canvas * (1 - between(0.1, 0.3) * (x**2 + 0.5 * y**2))
    lines(paint, x, y, skin, move)
    eyes(paint, x, y, skin, hair, move, between)
    nose(paint, x, y, skin, between)
    mouth(paint, x, y, skin, move, between)
    extras(paint, x, y, hair, between, some)
    return photograph(canvas, x, y, between, random)


def expression(labels: np.ndarray, between: Between, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the parameters of each face: its emotion at a random strength, the person's traits and noise."""
    full = np.array([EXPRESSIONS[name] for name in EMOTIONS], np.float32)
    size = np.abs(full).max(axis=0)
    strength = between(0.4, 1.1)[:, 0]
    moves = full[labels] * strength * random.uniform(0.55, 1.3, (len(labels), len(MOVES)))
    moves = moves + size * random.normal(0, 0.14, moves.shape)
    named = dict(zip(MOVES, moves.T[:, :, None, None].astype(np.float32), strict=True))
    drop = {name: np.clip(named[name], 0, None) for name in MOVES[4:] if name != "width"}
    return named | drop


def pose(between: Between) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return face coordinates of every pixel, about -1 to 1 with y down, and the width of a soft edge."""
    grid = (np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE * 2 - 1
    turn, size = between(-0.25, 0.25), between(0.96, 1.25)
    x, y = grid[None, None, :] - between(-0.12, 0.12), grid[None, :, None] - between(-0.12, 0.12)
    x, y = (x * np.cos(turn) + y * np.sin(turn)) / size, (y * np.cos(turn) - x * np.sin(turn)) / size
    depth = 1 + between(-0.14, 0.14) * x + between(-0.1, 0.1) * y
    # The quadratic term is a turn of the head: one half gets narrower than the other.
    return x / depth + between(-0.08, 0.08) * (1 - x**2), y / depth, between(0.04, 0.11) / size


def background(x: np.ndarray, y: np.ndarray, between: Between) -> np.ndarray:
    return between(20, 230) + between(-40, 40) * x + between(-40, 40) * y


def ellipse(x: Any, y: Any, width: Any, height: Any) -> np.ndarray:
    """Return the distance to an ellipse around the origin with these half axes, negative inside."""
    return (np.sqrt((x / width) ** 2 + (y / height) ** 2) - 1) * np.minimum(width, height)


def stroke(distance: Any, along: Any, half_width: Any) -> np.ndarray:
    """Return the distance to a line of this half width, given the distances to its middle and past its ends."""
    return np.maximum(np.abs(distance) - half_width, along)


def head(
    paint: Paint, x: np.ndarray, y: np.ndarray, skin: np.ndarray, hair: np.ndarray, between: Between, some: Some
) -> None:
    long = some(0.4)
    paint(ellipse(x, y + 0.2 - 0.35 * long, between(0.85, 0.98), 1.0 + 0.35 * long), hair)
    paint(np.maximum(np.abs(x) - 0.42, 0.6 - y), skin * 0.8)
    paint(ellipse(np.abs(x) - 0.8, y - 0.02, 0.09, 0.17), skin * 0.85, 1 - long)
    jaw = between(0.0, 0.16) * np.clip(y, 0, 1)
    face = ellipse(x, y - 0.02, between(0.72, 0.84) - jaw, between(0.96, 1.06))
    paint(face, skin)
    hairline = -between(0.66, 0.95) + between(-0.25, 0.25) * x + between(0, 0.5) * x**2
    paint(np.maximum(face, y - hairline), hair, 1 - some(0.12))


def lines(paint: Paint, x: np.ndarray, y: np.ndarray, skin: np.ndarray, move: Moves) -> None:
    """Draw wrinkles of nose, brows and forehead, and the folds beside the mouth."""
    side = np.abs(x)
    for height in (-0.16, -0.06, 0.04):
        paint(stroke(y - height + 0.3 * side, side - 0.14, 0.008), skin * 0.45, np.minimum(move["wrinkle"], 1))
    paint(stroke(side - 0.07, np.abs(y + 0.42) - 0.1, 0.008), skin * 0.4, np.minimum(move["frown"], 1))
    fold = side - 0.2 - 0.55 * (y - 0.16)
    paint(stroke(fold, np.abs(y - 0.32) - 0.16, 0.01), skin * 0.5, np.minimum(0.8 * move["folds"], 1))
    for height in (-0.72, -0.81):
        paint(stroke(y - height - 0.1 * x**2, side - 0.35, 0.006), skin * 0.6, np.minimum(move["forehead"], 1))


def eyes(
    paint: Paint, x: np.ndarray, y: np.ndarray, skin: np.ndarray, hair: np.ndarray, move: Moves, between: Between
) -> None:
    apart, level = between(0.33, 0.4), between(-0.25, -0.15)
    half = between(0.16, 0.2)
    side = np.sign(x)
    along = (np.abs(x) - apart) / half
    bow = 1 - along**2
    # A small difference between the two sides.
    gap = np.clip(0.085 + move["eyes"] + between(-0.015, 0.015) + side * between(-0.01, 0.01), 0.012, None)
    upper, lower = level - gap * bow, level + 0.6 * gap * bow
    white = np.maximum(upper - y, y - lower)
    paint(white + 0.01, np.minimum(skin * 0.5 + 130, 250))
    iris = ellipse(x - side * apart - between(-0.06, 0.06), y - level + 0.02, between(0.075, 0.1), 0.09)
    paint(np.maximum(iris, white), between(5, 60))
    paint(stroke(y - upper, (np.abs(along) - 1) * half, 0.012), skin * 0.3)
    paint(stroke(y - lower, (np.abs(along) - 1) * half, 0.004), skin * 0.5, 0.7)
    raised = move["inner"] * (1 - along) / 2 + move["outer"] * (1 + along) / 2 + side * between(-0.02, 0.02)
    brow = y - level + between(0.2, 0.26) + raised + between(0.0, 0.05) * bow
    paint(stroke(brow, (np.abs(along) - 1.25) * half, between(0.015, 0.04)), np.minimum(hair, skin * 0.6))


def nose(paint: Paint, x: np.ndarray, y: np.ndarray, skin: np.ndarray, between: Between) -> None:
    length = between(0.14, 0.24)
    paint(stroke(np.abs(x) - 0.1 - 0.1 * y, np.abs(y - 0.02) - length, 0.006), skin * 0.75, between(0, 0.6))
    paint(ellipse(np.abs(x) - between(0.06, 0.09), y - length - 0.03, 0.045, 0.022), skin * 0.4)
    paint(stroke(y - length - 0.06 + 2 * x**2, np.abs(x) - 0.13, 0.006), skin * 0.6, 0.6)


def mouth(paint: Paint, x: np.ndarray, y: np.ndarray, skin: np.ndarray, move: Moves, between: Between) -> None:
    half = between(0.24, 0.3) + move["width"]
    along = x / half
    bow = np.clip(1 - along**2, -0.5, 1)
    ends = (np.abs(along) - 1) * half
    middle = between(0.5, 0.58) + move["curve"] * (bow - 0.5) + between(-0.04, 0.04) * along
    upper = middle - (0.4 * move["open"] + move["lift"]) * bow
    lower = middle + 0.6 * move["open"] * bow
    lip = skin * between(0.55, 0.8)
    paint(np.maximum(stroke(y - upper + 0.025 * bow, ends, 0.025), -bow), lip)
    paint(np.maximum(stroke(y - lower - 0.04 * bow, ends, between(0.03, 0.05)), -bow), lip)
    inside = np.maximum(np.maximum(upper - y, y - lower), ends)
    paint(inside, between(10, 50))
    paint(np.maximum(inside, y - upper - 0.08 * move["teeth"]), np.minimum(skin * 0.4 + 140, 245))
    paint(stroke(y - (upper + lower) / 2, ends, 0.01), skin * 0.25, np.clip(1 - 12 * (lower - upper), 0, 1))


def extras(paint: Paint, x: np.ndarray, y: np.ndarray, hair: np.ndarray, between: Between, some: Some) -> None:
    """Draw what some faces have: a moustache, a beard, glasses, an object in front of the face."""
    paint(ellipse(x, y - 0.4, 0.26, 0.06), hair, 0.8 * some(0.1))
    paint(np.maximum(ellipse(x, y, 0.78, 1.05), 0.78 - y + 0.3 * np.abs(x)), hair, 0.8 * some(0.12))
    rim = ellipse(np.abs(x) - 0.36, y + 0.18, 0.24, 0.19)
    bridge = stroke(y + 0.22, np.abs(x) - 0.13, 0.012)
    paint(np.minimum(np.abs(rim) - 0.012, bridge), between(5, 120), some(0.14))
    left, top = between(0.6, 1.0) * np.sign(between(-1, 1)), between(-0.9, 0.9)
    paint(ellipse(x - left, y - top, between(0.12, 0.35), between(0.12, 0.35)), between(10, 240), some(0.3))


def photograph(
    canvas: np.ndarray, x: np.ndarray, y: np.ndarray, between: Between, random: np.random.Generator
) -> np.ndarray:
    """Return uint8 pixels: the drawing with light from one side, contrast and camera noise."""
    light = 1 + between(-0.35, 0.35) * x + between(-0.25, 0.25) * y
    canvas = (canvas * light - 128) * between(0.6, 1.1) + 128 + between(-35, 35)
    noise = random.standard_normal(canvas.shape, dtype=np.float32) * between(2, 11)
    return np.clip(canvas + noise, 0, 255).astype(np.uint8)
