"""Images of a data set that were not read, counted by reason."""

from collections.abc import Mapping


class Skipped(dict[str, dict]):
    """`{reason: {"images": count, "example": path or place}}`, in the order of first occurrence."""

    def add(self, reason: str, example: object, count: int = 1) -> None:
        """Count `count` more images under `reason`; the first example is kept."""
        entry = self.setdefault(reason, {"images": 0, "example": str(example)})
        entry["images"] += count


def skipped_text(skipped: Mapping[str, Mapping]) -> str:
    """Return one line with every reason, its count and an example; "" if nothing was skipped."""
    if not skipped:
        return ""
    reasons = (f"{entry['images']:,} ({reason}; such as {entry['example']})" for reason, entry in skipped.items())
    return f"Images not read: {', '.join(reasons)}."
