import bz2
import gzip
import io
import lzma
import os
import sys
import tarfile
import tracemalloc
import zipfile

import numpy as np
import pytest
from helpers import data_forms as forms
from PIL import Image

from fer_keras.core.errors import InputError
from fer_keras.data import cache, load, parquet, parquet_pages, sources

FACES = forms.tiny()
HEADER = "emotion,pixels,Usage"
PIXELS = ["7"] * 2304


def refuses(path, *parts):
    """Assert that loading `path` fails with one line that holds `parts`, and leaves nothing in the cache."""
    parsed = cache.home() / "parsed"
    kept = sorted(parsed.glob("*"))
    with pytest.raises(InputError) as caught:
        load(path)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message
    assert sorted(parsed.glob("*")) == kept


def row(emotion="3", pixels=None, usage="Training"):
    return f"{emotion},{' '.join(pixels or PIXELS)},{usage}"


def changed(value):
    return [*PIXELS[:99], value, *PIXELS[100:]]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (row(pixels=PIXELS[1:]), "line 3 has 2,303 pixels, expected 2,304"),
        (row(pixels=[*PIXELS, "7"]), "line 3 has 2,305 pixels"),
        (row(pixels=changed("300")), "line 3: pixel 100 is '300', expected a whole number from 0 to 255"),
        (row(pixels=changed("-1")), "line 3: pixel 100 is '-1'"),
        (row(pixels=changed("x")), "line 3: pixel 100 is 'x'"),
        (row(pixels=changed("2.5")), "line 3: pixel 100 is '2.5'"),
        (row(pixels=changed("nan")), "line 3: pixel 100 is 'nan'"),
        (row(pixels=changed("9" * 50)), "line 3: pixel 100 is '99999999999999999999'"),
        (row(pixels=changed("7\u00a07")), "line 3: "),
        ("3,,Training", "line 3 has 0 pixels"),
        (row(emotion="9"), "line 3 has the label '9', expected one of: 0 angry, 1 disgust"),
        (row(emotion=""), "line 3 has the label ''"),
        (row(emotion="bored"), "line 3 has the label 'bored'"),
        (row(emotion="2.5"), "line 3 has the label '2.5'"),
        (row(usage="Holdout"), "line 3 has Usage 'Holdout', expected one of: Training, PublicTest"),
        (f"3,{' '.join(PIXELS)}", "line 3 has 2 columns, expected 3 (emotion, pixels, usage). The file was"),
        (row(usage="Training,4"), "line 3 has 4 columns, expected 3"),
        (f'3,"{" ".join(PIXELS)},Training', "line 3 is not CSV: unexpected end of data"),
        ("3" * 100_000, "has a line of 100,000 characters or more"),
    ],
)  # fmt: skip
def test_bad_row_gives_its_line(tmp_path, line, complaint):
    path = tmp_path / "fer2013.csv"
    path.write_text("\n".join([HEADER, row(), line]), encoding="utf-8")
    refuses(path, str(path), complaint)


def test_broken_quotes_give_the_line_they_open_on(tmp_path):
    path = tmp_path / "fer2013.csv"
    path.write_text("\n".join([HEADER, row(), '3,"7 7 7', *[row()] * 40]))
    refuses(path, "line 3 is not CSV: field larger than field limit")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "fer2013.csv (empty)"),
        (b"\n", "Found fer2013.csv."),
        (b"emotion,Usage\n3,Training\n", "fer2013.csv (line 1 has the columns emotion, usage)"),
        (b"pixels,Usage\n7 7,Training\n", "line 1 has the columns pixels, usage"),
        (HEADER.encode() + b"\n", "has a header but no rows"),
        (HEADER.encode() + b"\n3,\xff\xfe", "is not UTF-8 text"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "No face data set in"),
        (b"PAR1 not really", "is not whole parquet"),
    ],
)
def test_bad_file_gives_its_path(tmp_path, content, complaint):
    path = tmp_path / "fer2013.csv"
    path.write_bytes(content)
    refuses(path, str(tmp_path), complaint)


def test_folder_with_nothing_known_says_what_was_looked_for(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    refuses(tmp_path, "Looked for a CSV with the columns emotion, pixels, Usage", "Found notes.txt.")
    (tmp_path / "notes.txt").unlink()
    refuses(tmp_path, "Found no files.")


def test_bad_line_inside_an_archive(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "fer2013.csv").write_text("\n".join([HEADER, row(emotion="9")]))
    path = forms.pack_tar(tmp_path / "fer.tar.gz", tmp_path / "in")
    refuses(path, f"{path}/fer2013.csv, line 2 has the label '9'")


def one_picture(folder, data, emotion="happy"):
    path = folder / "train" / emotion / "Training_1.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def encoded(size):
    buffer = io.BytesIO()
    Image.new("L", size).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "is not a readable image (PNG, JPEG, BMP"),
        (b"no image", "is not a readable image (PNG, JPEG, BMP"),
        (forms.png(FACES.images[0])[:-200], "is not a readable image (PNG, JPEG, BMP"),
        (encoded((48, 47)), "is 48 x 47 pixels, expected a square crop of a face"),
        (encoded((4000, 4000)), "is 4000 x 4000 pixels, more than 4,194,304"),
    ],
)
def test_bad_image_gives_its_path(tmp_path, data, complaint):
    path = one_picture(tmp_path, data)
    refuses(tmp_path, str(path), complaint)


def test_image_that_would_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    path = one_picture(tmp_path, encoded((48, 48)))
    refuses(tmp_path, str(path), "decompression bomb")


def test_unknown_emotion_folder(tmp_path):
    one_picture(tmp_path, forms.png(FACES.images[0]))
    path = one_picture(tmp_path, forms.png(FACES.images[0]), "bored")
    refuses(tmp_path, f"{path} lies in 'bored', which is no known class", "angry, disgust", "classes='own'")


def make_zip(path, name, data=b"x"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name), data)
    return path


@pytest.mark.parametrize("name", ["../fer2013.csv", "a/../../b.csv", "/etc/fer2013.csv", "..\\b.csv", "C:\\b.csv"])
def test_names_outside_the_archive(tmp_path, name):
    refuses(make_zip(tmp_path / "fer.zip", name), "fer.zip", "a path outside the archive")
    with tarfile.open(tmp_path / "fer.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo(name))
    refuses(tmp_path / "fer.tar.gz", "fer.tar.gz", repr(name), "a path outside the archive")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_an_archive(tmp_path, kind):
    member = tarfile.TarInfo("fer2013.csv")
    member.type, member.linkname = kind, "/etc/passwd"
    with tarfile.open(tmp_path / "fer.tar", "w") as archive:
        archive.addfile(member)
    refuses(tmp_path / "fer.tar", "'fer2013.csv', which is a link or a device")


def test_archive_with_too_much(tmp_path, monkeypatch):
    path = make_zip(tmp_path / "fer.zip", "fer2013.csv", b"0" * 5000)
    monkeypatch.setattr(sources, "MOST_BYTES", 4999)
    refuses(path, "holds more than")
    monkeypatch.undo()
    (tmp_path / "in").mkdir()
    for i in range(4):
        (tmp_path / "in" / str(i)).write_text("")
    monkeypatch.setattr(sources, "MOST_FILES", 3)
    refuses(forms.pack_tar(tmp_path / "fer.tar.gz", tmp_path / "in"), "holds more than 3 files")
    with pytest.raises(InputError, match="more than 3 files. Give the folder of the data set itself"):
        load(tmp_path / "in")


def test_damaged_archives(tmp_path):
    forms.write_csv(tmp_path / "in" / "fer2013.csv", FACES)
    packed = forms.pack_zip(tmp_path / "fer.zip", tmp_path / "in")
    whole = packed.read_bytes()
    packed.write_bytes(whole[: len(whole) // 2])
    refuses(packed, f"Cannot read {packed}: File is not a zip file")
    packed.write_bytes(whole[:5000] + b"\0\0\0\0" + whole[5004:])
    refuses(packed, f"Cannot read {packed}")
    for mode in ("w:gz", "w"):
        packed = forms.pack_tar(tmp_path / "fer.tar.gz", tmp_path / "in", mode)
        packed.write_bytes(packed.read_bytes()[:20_000])
        refuses(packed, f"Cannot read {packed}")
    packed.write_bytes(gzip.compress(b"this is no tar"))
    refuses(packed, f"Cannot read {packed}")


def test_encrypted_zip(tmp_path):
    path = make_zip(tmp_path / "fer.zip", "fer2013.csv")
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    refuses(path, "fer.zip is encrypted. Unpack it")


def test_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = forms.write_csv(tmp_path / "fer2013.csv", FACES)

    opened = os.open

    def deny(name, *arguments, **options):
        if str(name) == str(path):
            raise PermissionError(13, "Permission denied", str(name))
        return opened(name, *arguments, **options)

    monkeypatch.setattr(os, "open", deny)
    for given in (path, tmp_path):
        with pytest.raises(InputError, match=f"Cannot read {path}: Permission denied"):
            load(given)


def test_pipe_is_no_data(tmp_path):
    os.mkfifo(tmp_path / "fer2013.csv")
    with pytest.raises(InputError, match="There is no"):
        load(tmp_path / "fer2013.csv")
    with pytest.raises(InputError, match="Found no files"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"label": [9]}, "row 1 has the label '9'"),
        ({"label": ["bored"]}, "row 1 has the label 'bored'"),
        ({"label": [None]}, "row 1 has the label 'None'"),
        ({"image": [[1, 2, 3]]}, "row 1 has no image of 48 x 48 pixels"),
        ({"image": [[300] * 2304]}, "row 1 has pixels like 300"),
        ({"image": [[0.5] * 2304]}, "row 1 has pixels like 0.5"),
        ({"image": [b"none"]}, "row 1 is not a readable image"),
        ({"usage": ["bored"]}, "row 1 has the usage 'bored'"),
    ],
)
def test_bad_parquet_row(tmp_path, change, complaint):
    pytest.importorskip("pyarrow")
    columns = {"image": [[7] * 2304], "label": [3], "usage": ["Training"]} | change
    path = forms.parquet(tmp_path / "fer.parquet", columns)
    refuses(path, f"{path}, {complaint}")


def test_parquet_without_columns_rows_or_pyarrow(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    path = forms.parquet(tmp_path / "fer.parquet", {"image": [[7] * 2304], "name": ["x"]})
    refuses(path, "has the columns image, name; expected one named label or labels or emotion")
    forms.parquet(path, {"image": [], "label": []})
    refuses(path, "has no rows")
    whole = forms.parquet(path, {"image": [[7] * 2304], "label": [3]}).read_bytes()
    path.write_bytes(whole[:-20])
    refuses(path, str(path))
    path.write_bytes(whole)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    refuses(path, "needs pyarrow", "pip install 'fer-keras[parquet]'")


def tar_header(name, kind, size):
    """Return a tar header of any size, as an attacker writes it."""
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("opener", [lzma.open, gzip.open, bz2.open, open], ids=["xz", "gz", "bz2", "tar"])
@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_long_name_in_a_tar_archive_takes_no_memory(tmp_path, opener, kind):
    path = tmp_path / "fer.tar"
    with opener(path, "wb") as file:
        file.write(tar_header("././@LongLink", kind, 300 << 20))
        for _ in range(40):
            file.write(bytes(1 << 20))
    tracemalloc.start()
    try:
        refuses(path, f"{path} holds a header of more than 32 MiB")
        assert tracemalloc.get_traced_memory()[1] < 48 << 20
    finally:
        tracemalloc.stop()


def test_xz_dictionary_that_would_fill_the_memory(tmp_path):
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 30}]
    packed = forms.pack_tar(tmp_path / "fer.tar", tmp_path, "w").read_bytes()
    (tmp_path / "fer.tar.xz").write_bytes(lzma.compress(packed, filters=filters))
    refuses(tmp_path / "fer.tar.xz", f"Cannot read {tmp_path / 'fer.tar.xz'}: Memory usage limit exceeded")


@pytest.mark.parametrize("streams", [1, 2])
def test_xz_archives_are_read(tmp_path, streams):
    forms.write_folders(tmp_path / "in", FACES)
    packed = forms.pack_tar(tmp_path / "fer.tar", tmp_path / "in", "w").read_bytes()
    half = len(packed) // streams
    parts = [packed[i : i + half] for i in range(0, len(packed), half)]
    (tmp_path / "fer.tar.xz").write_bytes(b"".join(map(lzma.compress, parts)))
    assert load(tmp_path / "fer.tar.xz").digest == FACES.digest
    (tmp_path / "cut.tar.xz").write_bytes(lzma.compress(packed)[:-2000])
    refuses(tmp_path / "cut.tar.xz", f"Cannot read {tmp_path / 'cut.tar.xz'}")


def test_pipes_and_devices_are_never_waited_for(tmp_path):
    forms.write_csv(tmp_path / "fer2013.csv", FACES)
    os.mkfifo(tmp_path / "fer2013new.csv")
    os.symlink("/dev/zero", tmp_path / "train.csv")
    assert load(tmp_path).digest == FACES.digest
    with pytest.raises(InputError, match="fer2013new.csv is not a regular file"):
        load(tmp_path / "fer2013.csv", votes=tmp_path / "fer2013new.csv")
    with pytest.raises(InputError, match="/dev/zero"):
        load("/dev/zero")


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="needs /proc")
@pytest.mark.parametrize("target", ["/proc/self/mem", "/proc/kmsg", "/proc/self/pagemap"])
def test_files_without_a_size_are_empty(tmp_path, target):
    os.symlink(target, tmp_path / "fer2013.csv")
    refuses(tmp_path, "Found fer2013.csv (empty)")
    refuses(tmp_path / "fer2013.csv", "fer2013.csv (empty)")


def test_file_twice_in_an_archive(tmp_path):
    with tarfile.open(tmp_path / "fer.tar", "w") as archive:
        for name in ("a/fer2013.csv", "./a/fer2013.csv"):
            archive.addfile(tarfile.TarInfo(name))
    refuses(tmp_path / "fer.tar", "holds './a/fer2013.csv' twice")


@pytest.mark.parametrize(
    "note",
    [b"[" * 200_000, b'{"info":{"features":{"label":{"names":[' + b"1" * 5000 + b"]}}}}", b"\xff", b"null",
     b'{"info":{"features":{"label":{"names":[[],{},1,null,2,3,4]}}}}', b'{"info":[]}'],
    ids=["deep", "digits", "bytes", "null", "types", "list"],
)  # fmt: skip
def test_hostile_parquet_metadata(tmp_path, note):
    pytest.importorskip("pyarrow")
    columns = {"image": [[7] * 2304], "label": [3], "usage": ["Training"]}
    path = forms.parquet(tmp_path / "fer.parquet", columns, {b"huggingface": note})
    assert load(path).labels.tolist() == [3]


def test_parquet_dictionary_that_would_fill_the_memory(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    writer = pytest.importorskip("pyarrow.parquet")

    images = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 40, pyarrow.int32()), [bytes(20 << 20)])
    table = pyarrow.table({"image": images, "label": [0] * 40})
    path = tmp_path / "fer.parquet"
    writer.write_table(table, path, compression="zstd", dictionary_pagesize_limit=64 << 20)
    before = pyarrow.total_allocated_bytes()
    refuses(path, "row 1 has more than 16 MiB. 40 of 40 images cannot be used")
    assert pyarrow.default_memory_pool().max_memory() - before < 256 << 20


def test_parquet_whose_rows_all_name_one_large_image(tmp_path, monkeypatch):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet as arrow

    images = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 300, pyarrow.int32()), [bytes(1 << 20)])
    path = tmp_path / "fer.parquet"
    arrow.write_table(pyarrow.table({"image": images, "label": [0] * 300}), path, compression="zstd")
    monkeypatch.setattr(parquet, "LARGEST_GROUP", 8 << 20)
    refuses(path, "row 9: the images have more than 8 MiB until here, the file has")
    monkeypatch.setattr(parquet, "MOST_EXPANSION", 1 << 20)
    refuses(path, "300 of 300 images cannot be used")


def varint(value, length=None):
    """Return a number in Thrift's encoding, in more bytes than it needs if `length` is given."""
    value, data = 2 * value, []
    while value > 127 or length and len(data) < length - 1:
        data.append(value & 127 | 128)
        value >>= 7
    return bytes([*data, value])


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd"])
def test_parquet_whose_footer_hides_the_size_of_its_pages(tmp_path, monkeypatch, compression):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet as arrow

    path = tmp_path / "fer.parquet"
    table = pyarrow.table({"image": [bytes(3 << 20), bytes(range(256)) * 4096] * 2, "label": [0, 1, 0, 1]})
    arrow.write_table(table, path, compression=compression, use_dictionary=["label"], data_page_size=1 << 20)
    honest = arrow.read_metadata(path).row_group(0)
    with open(path, "rb") as file:  # pages and their headers, as the writer counts them
        sizes = [parquet._size(honest.column(i), file) for i in (0, 1)]
    assert sizes == [honest.column(i).total_uncompressed_size for i in (0, 1)] and sizes[0] > 8 << 20
    content = path.read_bytes()
    true = varint(sizes[0])
    assert content.count(true) >= 1
    start = content.rindex(true)
    path.write_bytes(content[:start] + varint(1, len(true)) + content[start + len(true) :])
    lying = arrow.read_metadata(path).row_group(0).column(0)
    if lying.total_uncompressed_size != 1:  # uncompressed, both sizes are equal, and this was the other one
        start = content.rindex(true, 0, start)
        path.write_bytes(content[:start] + varint(1, len(true)) + content[start + len(true) :])
        assert arrow.read_metadata(path).row_group(0).column(0).total_uncompressed_size == 1
    monkeypatch.setattr(parquet, "LARGEST_GROUP", 4 << 20)
    refuses(path, "has a row group of 8 MiB, more than 4. Write it again with smaller row groups")


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        (b"", "ends within a page header"),
        (b"\x15\x00", "ends within a page header"),
        (b"\x15\x00\x00", "a page states no size"),
        (b"\x15" + b"\x80" * 11, "a number is too long"),
        (b"\x1e\x00", "unknown type"),
        (b"\x1c" * 20, "nested too deeply"),
        (b"\x25\x00\x15\x00\x00" * 200_000, "more than 100,000 pages"),
    ],
)
def test_page_headers_that_are_none(header, complaint):
    with pytest.raises(parquet_pages.BadPage, match=complaint):
        parquet_pages.unpacked_size(io.BytesIO(header), 0, max(len(header), 1))


def test_parquet_lists_and_row_groups_that_would_fill_the_memory(tmp_path, monkeypatch):
    pyarrow = pytest.importorskip("pyarrow")
    long = pyarrow.ListArray.from_arrays(pyarrow.array([0, 1 << 20]), np.zeros(1 << 20, np.int8))
    path = forms.parquet(tmp_path / "fer.parquet", {"image": long, "label": [0]})
    refuses(path, "row 1 has no image of 48 x 48 pixels but a list of 1,048,576 bytes")
    monkeypatch.setattr(parquet, "LARGEST_GROUP", 8 << 20)
    refuses(path, "has a row group of 8 MiB, more than 8. Write it again with smaller row groups")


def test_two_label_columns_of_parquet(tmp_path):
    pytest.importorskip("pyarrow")
    columns = {"image": [[7] * 2304], "label": [3], "emotion": [4]}
    refuses(
        forms.parquet(tmp_path / "fer.parquet", columns), "has the columns label and emotion. Remove all but one"
    )
