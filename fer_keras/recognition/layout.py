"""Where labels and panels of bars go in a picture, and the numbers of its faces: rectangles, not pixels."""

from collections.abc import Iterable, Iterator, Sequence

HEAD = 0.3  # of the sides of a face's box, to be added on all four to hold hair, ears and chin
GAP = 0.08  # between a box and its panel

Rect = tuple[float, float, float, float]  # x, y, width, height
Size = tuple[float, float]  # width, height


def reading_order(boxes: Sequence[Rect]) -> list[int]:
    """Return the number of each box, from 1: rows from top to bottom, from left to right in each.

    A box belongs to a row if its middle is less than two thirds of a box below the middle of the row.
    """
    rows: list[list[int]] = []
    for i in sorted(range(len(boxes)), key=lambda i: middle(boxes[i])[1]):
        row = rows[-1] if rows else []
        if row and same_row(boxes[i], [boxes[j] for j in row]):
            row.append(i)
        else:
            rows.append([i])
    order = [i for row in rows for i in sorted(row, key=lambda i: middle(boxes[i])[0])]
    return [order.index(i) + 1 for i in range(len(boxes))]


def same_row(box: Rect, row: Sequence[Rect]) -> bool:
    height = mean([box[3], *(other[3] for other in row)])
    return middle(box)[1] - mean([middle(other)[1] for other in row]) < height * 2 / 3


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def place_labels(boxes: Sequence[Rect], sizes: Sequence[Sequence[Size]], image: Size) -> list[tuple[int, Rect]]:
    """Return for each box which of its labels fits, and where.

    The longest label is taken for which a place beside the box is free of boxes and other labels and within the
    image. Otherwise the longest label that fits goes into the box, else the shortest.

    Args:
        boxes: list of `Rect`.
        sizes: for each box a list of (width, height) of its labels, the longest first.
        image: (width, height).

    Returns:
        List of (index into the box's sizes, `Rect`).
    """
    taken = list(boxes)
    placed: list[tuple[int, Rect]] = []
    for box, options in zip(boxes, sizes, strict=True):
        found = outside(box, options, taken, image) or inside(box, options, taken, image)
        placed.append(found)
        taken.append(found[1])
    return placed


def outside(box: Rect, options: Sequence[Size], taken: Sequence[Rect], image: Size) -> tuple[int, Rect] | None:
    """Return the longest label with a free place beside the box, or None."""
    for i, size in enumerate(options):
        if place := first_free([*above_and_below(box, size), *beside(box, size)], taken, image):
            return i, place
    return None


def inside(box: Rect, options: Sequence[Size], taken: Sequence[Rect], image: Size) -> tuple[int, Rect]:
    """Return the longest label that fits at the top or the bottom of its own box, else the shortest one there."""
    others = [rect for rect in taken if rect != box]
    for i, (width, height) in enumerate(options):
        places = [(box[0], box[1], width, height), (box[0], box[1] + box[3] - height, width, height)]
        if width <= box[2] and (place := first_free(places, others, image)):
            return i, place
    width, height = options[-1]
    x, y = max(min(box[0], image[0] - width), 0), max(min(box[1], image[1] - height), 0)
    return len(options) - 1, (x, y, width, height)


def place_panels(boxes: Sequence[Rect], taken: Sequence[Rect], size: Size, image: Size) -> list[Rect | None]:
    """Return where a panel of `size` (width, height) fits beside each box, None where nothing is free.

    A panel keeps a distance from the other boxes, so that it covers no heads and clearly belongs to its own box.

    Args:
        boxes: list of `Rect`.
        taken: list of `Rect` that the panels must not cover, beside the boxes.
        size: (width, height).
        image: (width, height).
    """
    taken = list(taken)
    heads = [enlarged(box, HEAD) for box in boxes]
    panels: list[Rect | None] = []
    for i, box in enumerate(boxes):
        spaced = enlarged(box, GAP)
        obstacles = [box, *heads[:i], *heads[i + 1 :], *taken]
        place = first_free([*beside(spaced, size), *above_and_below(spaced, size)], obstacles, image)
        panels.append(place)
        if place:
            taken.append(place)
    return panels


def enlarged(box: Rect, share: float) -> Rect:
    """Return the box with this share of its sides added on all four."""
    x, y, width, height = box
    return x - share * width, y - share * height, (1 + 2 * share) * width, (1 + 2 * share) * height


def above_and_below(box: Rect, size: Size) -> Iterator[Rect]:
    """Yield places of a rectangle of `size` above and below a box, aligned with its left, right and middle."""
    (x, y, width, height), (w, h) = box, size
    for top in (y - h, y + height):
        for left in (x, x + width - w, x + (width - w) / 2):
            yield left, top, w, h


def beside(box: Rect, size: Size) -> Iterator[Rect]:
    """Yield places of a rectangle of `size` right and left of a box, aligned with its top and bottom."""
    (x, y, width, height), (w, h) = box, size
    for left in (x + width, x - w):
        for top in (y, y + height - h):
            yield left, top, w, h


def first_free(places: Iterable[Rect], taken: Sequence[Rect], image: Size) -> Rect | None:
    """Return the first place within the image that overlaps nothing that is taken, or None."""
    for place in places:
        x, y, width, height = place
        within = x >= 0 and y >= 0 and x + width <= image[0] and y + height <= image[1]
        if within and not any(overlaps(place, other) for other in taken):
            return place
    return None


def overlaps(one: Rect, other: Rect) -> bool:
    """Return whether two rectangles have an area in common; touching edges do not count."""
    return (
        one[0] < other[0] + other[2]
        and other[0] < one[0] + one[2]
        and one[1] < other[1] + other[3]
        and other[1] < one[1] + one[3]
    )


def middle(box: Rect) -> tuple[float, float]:
    return box[0] + box[2] / 2, box[1] + box[3] / 2
