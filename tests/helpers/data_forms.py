"""A tiny data set written in every form that users hold FER-2013 in."""

import csv
import io
import tarfile
import zipfile

import numpy as np
from PIL import Image

from fer_keras.data import EMOTIONS, USAGES
from fer_keras.data.faces import make_faces
from fer_keras.data.votes import COLUMNS


def tiny(counts=(14, 7, 7), seed=0):
    """Return random faces with `counts` images of Training, PublicTest and PrivateTest, classes in turn."""
    images = np.random.default_rng(seed).integers(0, 256, (sum(counts), 2304))
    return make_faces(images, np.arange(len(images)) % 7, np.repeat([0, 1, 2], counts), "tiny")


def text(image):
    return " ".join(map(str, image.ravel()))


def write_rows(path, header, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def rows(faces):
    return zip(faces.labels, map(text, faces.images), (USAGES[code] for code in faces.usages), strict=True)


def write_csv(path, faces):
    return write_rows(path, ["emotion", "pixels", "Usage"], rows(faces))


def write_icml(path, faces):
    return write_rows(path, ["emotion", " Usage", " pixels"], ((e, u, p) for e, p, u in rows(faces)))


def write_pair(folder, faces, names=("test.csv", "train.csv")):
    kept = list(rows(faces))
    write_rows(folder / names[0], ["pixels"], ([p] for _, p, u in kept if u != "Training"))
    write_rows(folder / names[1], ["emotion", "pixels"], ([e, p] for e, p, u in kept if u == "Training"))


def write_three(folder, faces):
    for name, usage in {"train": "Training", "val": "PublicTest", "test": "PrivateTest"}.items():
        part = ([e, p] for e, p, u in rows(faces) if u == usage)
        write_rows(folder / f"{name}.csv", ["emotion", "pixels"], part)


def png(image, mode="L"):
    buffer = io.BytesIO()
    Image.fromarray(image[..., 0]).convert(mode).save(buffer, "PNG")
    return buffer.getvalue()


def write_folders(folder, faces, names=EMOTIONS, mode="L"):
    for i, (image, label, usage) in enumerate(zip(faces.images, faces.labels, faces.usages, strict=True)):
        place = folder / ("train" if usage == 0 else "test") / names[label]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{USAGES[usage]}_{i}.png").write_bytes(png(image, mode))


def write_three_folders(folder, faces):
    """Folders for all three usages and plain numbers, capitalised, with synonyms: nothing in the names."""
    names = ("Anger", "Disgust", "Fear", "Happiness", "SAD", "Surprised", "Neutral")
    for i, (image, label, usage) in enumerate(zip(faces.images, faces.labels, faces.usages, strict=True)):
        place = folder / "data" / ("Train", "Val", "Test")[usage] / names[label]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{i}.png").write_bytes(png(image))


def write_votes(path, faces, votes):
    lines = ([USAGES[u], f"fer{i:07d}.png", *v] for i, (u, v) in enumerate(zip(faces.usages, votes, strict=True)))
    return write_rows(path, ["Usage", "Image name", *COLUMNS[:-1], "NF"], lines)


def pack_zip(path, folder):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return path


def pack_tar(path, folder, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        archive.add(folder, ".")
    return path


def parquet(path, columns, metadata=None):
    import pyarrow
    import pyarrow.parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    table = pyarrow.table(columns)
    pyarrow.parquet.write_table(table.replace_schema_metadata(metadata), path)
    return path
