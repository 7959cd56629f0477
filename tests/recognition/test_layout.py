"""Numbers of faces, and places of labels and panels."""

import random

import pytest

from fer_keras.recognition.layout import overlaps, place_labels, place_panels, reading_order

IMAGE = (400, 300)


def test_rows_are_read_from_left_to_right():
    row = [(300, 10, 50, 50), (100, 30, 50, 50), (200, 0, 50, 50)]
    assert reading_order(row) == [3, 1, 2]
    assert reading_order([(200, 200, 50, 50), *row, (10, 190, 50, 50)]) == [5, 3, 1, 2, 4]
    assert reading_order([(0, 0, 100, 100), (200, 20, 40, 40)]) == [1, 2]  # a child beside an adult
    assert reading_order([]) == []


def test_a_slanted_row_is_one_row():
    assert reading_order([(60 * i, 8 * i, 50, 50) for i in range(5)]) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "box, place",
    [
        ((100, 100, 50, 50), (100, 80, 80, 20)),  # above
        ((100, 10, 50, 50), (100, 60, 80, 20)),  # below
        ((340, 100, 50, 50), (310, 80, 80, 20)),  # aligned with the right edge
        ((100, 0, 50, 300), (150, 0, 80, 20)),  # beside
    ],
)
def test_a_label_is_beside_its_face_and_within_the_picture(box, place):
    assert place_labels([box], [[(80, 20)]], IMAGE) == [(0, place)]


def test_a_label_avoids_faces_and_labels():
    boxes = [(100, 100, 50, 50), (160, 60, 50, 50)]
    (_, first), (_, second) = place_labels(boxes, [[(80, 20)]] * 2, IMAGE)
    assert first == (70, 80, 80, 20)  # above and left-aligned would cover the second face
    assert second == (160, 40, 80, 20)


def test_without_room_beside_it_a_shorter_label_is_taken_and_then_one_within_the_face():
    crowd = [(100 * i, 0, 100, 300) for i in range(4)]
    assert place_labels(crowd, [[(120, 20), (60, 20)]] * 4, IMAGE) == [(1, (100 * i, 0, 60, 20)) for i in range(4)]
    assert place_labels([(0, 0, 400, 300)], [[(80, 20), (20, 20)]], IMAGE) == [(0, (0, 0, 80, 20))]
    wide = [(0, 0, 100, 300), (101, 0, 199, 300)]
    assert place_labels(wide, [[(98, 20), (20, 20)]] * 2, IMAGE) == [(0, (0, 0, 98, 20)), (0, (300, 0, 98, 20))]


def test_the_shortest_label_stays_in_a_picture_smaller_than_itself():
    assert place_labels([(0, 0, 5, 5)], [[(80, 20), (10, 10)]], (5, 5)) == [(1, (0, 0, 10, 10))]


def test_labels_of_any_group_cover_no_other_face_or_label():
    chance = random.Random(0)
    shown, hidden = 0, 0
    for _ in range(50):
        boxes = []
        for _ in range(20):
            box = (chance.uniform(0, 340), chance.uniform(0, 240), *[chance.uniform(15, 60)] * 2)
            if not any(overlaps(box, other) for other in boxes):
                boxes.append(box)
        placed = place_labels(boxes, [[(60, 12), (40, 12), (8, 12)]] * len(boxes), IMAGE)
        places = [place for _, place in placed]
        for i, place in enumerate(places):
            others = [*boxes[:i], *boxes[i + 1 :], *places[:i], *places[i + 1 :]]
            assert not any(overlaps(place, other) for other in others)
        panels = [panel for panel in place_panels(boxes, places, (66, 58), IMAGE) if panel]
        for i, panel in enumerate(panels):
            assert not any(overlaps(panel, other) for other in [*boxes, *places, *panels[i + 1 :]])
        shown += len(panels)
        hidden += len(boxes) - len(panels)
    assert shown > 50 and hidden > 50


def test_a_panel_stands_beside_its_face_and_away_from_the_heads_of_others():
    assert place_panels([(100, 100, 50, 50)], [], (80, 70), IMAGE) == [(154, 96, 80, 70)]
    assert place_panels([(100, 100, 50, 50), (240, 100, 50, 50)], [], (80, 70), IMAGE)[0] == (16, 96, 80, 70)
    assert place_panels([(0, 0, 400, 300)], [], (80, 70), IMAGE) == [None]
