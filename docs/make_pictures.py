"""Draws the pictures of README and the documentation into docs/pictures.

    python docs/make_pictures.py        (needs the extras faces and dev)

group.jpg: one portrait in the public domain (NASA's of Eileen Collins, which scikit-image brings as `astronaut`),
composed into a group and annotated as `fer-keras predict --annotate` does. study.png: accuracies of five runs of
the study, from their records. architecture.svg: the folders of fer_keras and their imports, from the source.
"""

import ast
import json
import pathlib
import statistics

import matplotlib.style
import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from fer_keras.core.plotting import STYLE, TRAIN, VALIDATION, new_figure

ROOT = pathlib.Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
RUNS = ("nn_1_layer", "nn_3_layer_down_adam", "cnn_1_1", "cnn_3_1_up_maxpool", "cnn_best")
PILOT_SEEDS = (0, 1, 2)


def composed():
    """Return the group as a PIL image: the portrait as it is, mirrored and dark, smaller, tilted."""
    from skimage import data

    portrait = Image.fromarray(data.astronaut()).crop((60, 0, 440, 300))
    smaller = portrait.resize((266, 210), Image.Resampling.LANCZOS)
    members = [
        portrait,
        ImageEnhance.Brightness(ImageOps.mirror(portrait)).enhance(0.4),
        smaller,
        portrait.rotate(12, Image.Resampling.BICUBIC, fillcolor="#606060"),
    ]
    group = Image.new("RGB", (sum(member.width for member in members), 300), "#606060")
    left = 0
    for member in members:
        group.paste(member, (left, 300 - member.height))
        left += member.width
    return group


def group():
    """Return the group as a PIL image with boxes, labels and bars of the network `best`."""
    from fer_keras import FER
    from fer_keras.recognition import drawing

    rgb = np.asarray(composed())
    return drawing.annotate(rgb, FER().analyze(rgb))


def study():
    """Return a `Figure`: training and validation accuracy by epoch, means of the pilot's seeds."""
    figure, axes = new_figure(columns=len(RUNS), width=12, height=2.6)
    for column, (stem, one) in enumerate(zip(RUNS, axes, strict=True)):
        records = [
            json.loads((ROOT / f"experiments/results/{stem}/{seed}.json").read_text()) for seed in PILOT_SEEDS
        ]
        for key, color, name, down in (
            ("train_acc", TRAIN, "training", 2),
            ("val_acc", VALIDATION, "validation", -8),
        ):
            curves = zip(*([100 * row[key] for row in record["history"]] for record in records), strict=True)
            means = [statistics.fmean(values) for values in curves]
            one.plot(range(1, len(means) + 1), means, color=color, label=name)
            one.annotate(f"{means[-1]:.0f}", (len(means), means[-1]), xytext=(3, down), textcoords="offset points")
        one.set(title=records[0]["experiment"]["name"], xlabel="epoch", xticks=(1, 5, 10), ylim=(20, 95))
        if column:
            one.set_yticklabels([])
    axes[0].set_ylabel("accuracy, %")
    axes[0].legend(loc="upper left")
    return figure


def imported():
    """Return {folder or module of fer_keras: those that it imports}, without `__init__` and `__main__`."""
    package, found = ROOT / "fer_keras", {}
    for path in sorted(package.rglob("*.py")):
        room = path.relative_to(package).with_suffix("").parts[0]
        if room.startswith("__"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{a.name}" for a in node.names]
            used = {name.split(".")[1] for name in names if name.startswith("fer_keras.")}
            found.setdefault(room, set()).update(used - {room})
    return {room: used & found.keys() for room, used in found.items()}


def floors(graph):
    """Return [[names]], the lowest first: each stands on the first floor above all that it imports."""
    level = {}
    while len(level) < len(graph):
        level |= {
            n: 1 + max((level[m] for m in used), default=-1) for n, used in graph.items() if used <= level.keys()
        }
    return [sorted(n for n in level if level[n] == floor) for floor in range(max(level.values()) + 1)]


def architecture(graph):
    """Return the drawing as SVG: an arrow for each import that is not also reached by a longer way."""
    width, row, box = 900, 74, (124, 34)
    rows = floors(graph)
    height = row * len(rows) + 20
    place = {
        name: ((i + 1) * width / (len(names) + 1), height - 40 - row * floor)
        for floor, names in enumerate(rows)
        for i, name in enumerate(names)
    }
    reach = {}
    for names in rows:
        reach |= {name: graph[name].union(*(reach[m] for m in graph[name])) for name in names}
    direct = {n: used - set().union(*(reach[m] for m in used)) for n, used in graph.items()}
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="15" text-anchor="middle">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" '
        'markerHeight="8" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#767676"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for name, used in sorted(direct.items()):
        for other in sorted(used):
            (x, y), (to_x, to_y) = place[name], place[other]
            lines.append(
                f'<path d="M{x:.0f} {y + box[1] / 2:.0f}L{to_x:.0f} {to_y - box[1] / 2:.0f}" '
                'stroke="#767676" marker-end="url(#tip)"/>'
            )
    for name, (x, y) in sorted(place.items()):
        lines += [
            f'<rect x="{x - box[0] / 2:.0f}" y="{y - box[1] / 2:.0f}" width="{box[0]}" height="{box[1]}" rx="5" '
            'fill="#E8F1F8" stroke="#0072B2"/>',
            f'<text x="{x:.0f}" y="{y + 5:.0f}">{name}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


def main():
    PICTURES.mkdir(exist_ok=True)
    group().save(PICTURES / "group.jpg", quality=85)
    with matplotlib.style.context(["default", STYLE]):
        study().savefig(PICTURES / "study.png", dpi=100, metadata={"Software": None})
    (PICTURES / "architecture.svg").write_text(architecture(imported()), encoding="utf-8")


if __name__ == "__main__":
    main()
