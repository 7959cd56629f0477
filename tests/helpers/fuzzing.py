"""Damaged input for property-based tests."""

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", 0))


def fuzz(examples):
    """The settings of a test with so many fixed examples, or with `FUZZ_EXAMPLES` new ones."""
    return settings(
        max_examples=EXAMPLES or examples,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


PLACE = st.floats(0, 1, exclude_max=True)


EDIT = st.one_of(
    st.tuples(st.just("put"), PLACE, st.binary(min_size=1, max_size=8)),
    st.tuples(st.just("insert"), PLACE, st.binary(min_size=1, max_size=8)),
    st.tuples(st.just("cut"), PLACE, st.integers(1, 64)),
    st.tuples(st.just("end"), PLACE, st.none()),
    st.tuples(st.just("repeat"), PLACE, st.integers(1, 64)),
)


EDITS = st.lists(EDIT, min_size=1, max_size=5)


def damaged(content, edits):
    for kind, place, value in edits:
        i = int(place * len(content))
        if kind == "put":
            content = content[:i] + value + content[i + len(value) :]
        elif kind == "insert":
            content = content[:i] + value + content[i:]
        elif kind == "cut":
            content = content[:i] + content[i + value :]
        elif kind == "end":
            content = content[:i]
        else:
            content = content[: i + value] + content[i:]
    return content
