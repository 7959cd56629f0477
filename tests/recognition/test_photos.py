"""Every kind of picture comes out upright, RGB and 8 bits; every kind of rubbish as an InputError."""

import dataclasses
import io
import struct
import zlib

import numpy as np
import pytest
from helpers.portraits import PORTRAIT, plain, portrait
from PIL import Image

from fer_keras.core.errors import InputError
from fer_keras.recognition import decoding, photos

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def encoded(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def two_by_one(*colors, mode="RGB"):
    image = Image.new(mode, (2, 1))
    image.putdata(colors)
    return image


@pytest.mark.parametrize("form", ["BMP", "GIF", "PNG", "PPM", "TIFF"])
def test_lossless_forms_give_the_pixels(form):
    rgb = photos.read(encoded(two_by_one(RED, GREEN), form))
    assert rgb.dtype == np.uint8 and rgb.tolist() == [[list(RED), list(GREEN)]]


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "MPO"])
def test_lossy_forms_give_the_pixels_nearly(form):
    image = Image.fromarray(portrait())
    options = {"save_all": True, "append_images": [image]} if form == "MPO" else {}
    rgb = photos.read(encoded(image, form, quality=95, **options)).astype(int)
    assert np.abs(rgb - portrait()).mean() < 3


def test_path_bytes_pil_and_array_are_one(tmp_path):
    expected = portrait()
    with Image.open(PORTRAIT) as image:
        given = [str(PORTRAIT), PORTRAIT, PORTRAIT.read_bytes(), bytearray(PORTRAIT.read_bytes()), image, expected]
        for one in given:
            np.testing.assert_array_equal(photos.read(one), expected)
    np.testing.assert_array_equal(photos.read(expected[..., ::-1], bgr=True), expected)


@pytest.mark.parametrize(
    "orientation, expected",
    [(1, [[RED, GREEN]]), (2, [[GREEN, RED]]), (3, [[GREEN, RED]]), (6, [[RED], [GREEN]]), (8, [[GREEN], [RED]])],
)
def test_exif_turns_it_upright(orientation, expected):
    exif = Image.Exif()
    exif[0x0112] = orientation
    rgb = photos.read(encoded(two_by_one(RED, GREEN), "PNG", exif=exif))
    assert rgb.tolist() == np.array(expected).tolist()


def test_transparency_lies_over_white():
    rgba = two_by_one((0, 0, 0, 0), (0, 0, 255, 255), mode="RGBA")
    assert photos.read(encoded(rgba, "PNG")).tolist() == [[[255, 255, 255], list(BLUE)]]
    assert photos.read(np.asarray(rgba)).tolist() == [[[255, 255, 255], list(BLUE)]]
    assert photos.read(np.asarray(rgba)[..., [2, 1, 0, 3]], bgr=True).tolist() == [[[255] * 3, list(BLUE)]]
    half = two_by_one((0, 128), (100, 255), mode="LA")  # 255 - 128 of white shows through
    assert photos.read(encoded(half, "PNG")).tolist() == [[[127] * 3, [100] * 3]]


def test_palette_with_a_transparent_colour():
    image = two_by_one(0, 1, mode="P")
    image.putpalette([*RED, *BLUE])
    assert photos.read(encoded(image, "PNG", transparency=0)).tolist() == [[[255] * 3, list(BLUE)]]


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bits_are_cut_to_eight(form):
    image = Image.fromarray(np.array([[0, 65535, 256 * 77 + 3]], np.uint16))
    assert photos.read(encoded(image, form))[0, :, 0].tolist() == [0, 255, 77]
    assert photos.read(np.array([[0, 65535, 256 * 77]], np.uint16))[0, :, 2].tolist() == [0, 255, 77]


@pytest.mark.parametrize("depth", [8, 10, 12, 14, 16])
def test_fewer_bits_in_a_container_of_sixteen(depth):
    """The file's largest value gives the depth; sBIT and TIFF's MaxSampleValue of a dark picture do, too."""
    values = np.array([[0, 77, 255]], np.uint16) << (depth - 8)
    for image in (values, Image.fromarray(values), Image.fromarray(values.astype(np.int32))):
        assert photos.read(image)[0, :, 1].tolist() == [0, 77, 255]
    for form in ("PNG", "TIFF"):
        assert photos.read(encoded(Image.fromarray(values), form))[0, :, 0].tolist() == [0, 77, 255]
    dark = encoded(Image.fromarray(values // 16), "TIFF", tiffinfo={281: (1 << depth) - 1})
    assert photos.read(dark)[0, :, 0].tolist() == [0, 77 // 16, 15]


@pytest.mark.parametrize("limits", [decoding.FILES, dataclasses.replace(decoding.FILES, light_pixels=0)])
def test_depth_by_the_header_the_largest_value_or_as_given(limits, caplog):
    """Equal in this process and in a subprocess."""
    values = np.array([[0, 16, 4095]], np.uint16)
    plain_file = encoded(Image.fromarray(values), "PNG")
    by_header = encoded(Image.fromarray(values), "TIFF", tiffinfo={281: 65535})

    def read(data, **options):
        return photos.read(data, limits=limits, **options)[0, :, 0].tolist()

    assert read(plain_file) == [0, 1, 255]
    assert caplog.messages == [
        "The image was read as 12-bit by its largest value; bit_depth (--bit-depth) chooses another depth."
    ]
    assert read(by_header) == [0, 0, 15] and "The image was read as 16-bit by its header;" in caplog.text
    caplog.clear()
    assert read(plain_file, bit_depth=16) == [0, 0, 15] and read(by_header, bit_depth=10) == [0, 4, 255]
    assert not caplog.messages


def test_depth_of_arrays(caplog):
    values = np.array([[0, 16, 4095]], np.uint16)
    assert photos.read(values)[0, :, 0].tolist() == [0, 1, 255] and "12-bit by its largest" in caplog.text
    assert photos.read(values, bit_depth=16)[0, :, 0].tolist() == [0, 0, 15]
    assert photos.read(values.repeat(3, 0)[..., None].repeat(3, 2), bgr=True)[0, :, 0].tolist() == [0, 1, 255]


def color_png(values, *significant):
    """An RGB PNG of 16 bits with one row of grey pixels; Pillow writes none."""
    row = b"\0" + np.repeat(np.array(values, ">u2"), 3).tobytes()
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", len(values), 1, 16, 2, 0, 0, 0))]
    chunks += [(b"sBIT", bytes(significant))] if significant else []
    chunks += [(b"IDAT", zlib.compress(row)), (b"IEND", b"")]
    parts = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_colors_that_do_not_fill_sixteen_bits_are_refused():
    assert photos.read(color_png([0, 77 << 8, 65535]))[0, :, 0].tolist() == [0, 77, 255]
    assert photos.read(color_png([0, 4095]), bit_depth=16)[0, :, 0].tolist() == [0, 15]
    assert photos.read(color_png([0, 65535], 12, 12, 12))[0, :, 0].tolist() == [0, 255]  # scaled, as PNG asks for
    for data in (color_png([0, 4095]), color_png([0, 16383], 14, 14, 14)):
        with pytest.raises(InputError, match="has colors of 16 bits whose values fill fewer. Convert it"):
            photos.read(data)
    with pytest.raises(InputError, match="fill fewer"):
        photos.read(color_png([0, 65535]), bit_depth=12)


@pytest.mark.parametrize("mode, dark", [("1", 0), ("L", 10)])
def test_grey_and_black_and_white(mode, dark):
    image = two_by_one(dark, 255, mode=mode)
    assert photos.read(encoded(image, "PNG")).tolist() == [[[dark] * 3, [255] * 3]]
    assert photos.read(np.array([[[7], [9]]], np.uint8)).tolist() == [[[7] * 3, [9] * 3]]


def test_cmyk():
    image = two_by_one((0, 255, 255, 0), (0, 0, 0, 255), mode="CMYK")
    assert photos.read(encoded(image, "TIFF")).tolist() == [[[255, 0, 0], [0, 0, 0]]]
    jpeg = photos.read(encoded(image.resize((16, 8), Image.Resampling.NEAREST), "JPEG", quality=95)).astype(int)
    assert np.abs(jpeg[4, 2] - RED).max() < 10 and jpeg[4, 13].max() < 10


@pytest.mark.parametrize("form", ["AVIF", "GIF", "PNG", "TIFF", "WEBP"])
def test_of_an_animation_the_first_frame_and_a_word(form, tmp_path, caplog):
    caplog.set_level("INFO")
    frames = [Image.new("RGB", (8, 8), color) for color in (RED, BLUE, GREEN)]
    options = {"lossless": True} if form == "WEBP" else {}
    data = encoded(frames[0], form, save_all=True, append_images=frames[1:], **options)
    assert np.abs(photos.read(data)[4, 4].astype(int) - RED).max() < 4
    path = tmp_path / "several"
    path.write_bytes(data)
    photos.read(path)
    assert f"{path} has several frames or pages. Only the first is read." in caplog.text
    caplog.clear()
    path.write_bytes(encoded(frames[0], form))
    photos.read(path)
    assert not caplog.records


def test_a_matrix_of_numpy_is_a_gray_image():
    assert photos.read(np.matrix([[0, 255]], np.uint8)).tolist() == [[[0] * 3, [255] * 3]]


def png_of(width, height):
    """A PNG file that claims a size and holds one byte of it."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_pixels_are_limited_before_decoding():
    with pytest.raises(InputError, match=r"The image has 8193 x 8192 pixels, more than 67,108,864\."):
        photos.read(png_of(8193, 8192))
    with pytest.raises(InputError, match="2 x 1 pixels, more than 1"):
        photos.read(np.zeros((1, 2, 3), np.uint8), max_pixels=1)


@pytest.mark.filterwarnings("default::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [10_000, 20_000, 2**31 - 1])
def test_bombs_are_refused(side):
    with pytest.raises(InputError, match="The image"):
        photos.read(png_of(side, side))


def test_warnings_turned_errors_are_told_too():
    with pytest.raises(InputError, match="The image"):
        photos.read(png_of(10_000, 10_000))


@pytest.mark.parametrize("form", ["BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP"])
def test_cut_short_anywhere_is_an_input_error_or_a_picture(form):
    data = encoded(Image.fromarray(portrait()[:64, :64]), form)
    for length in np.linspace(0, 0.95 * len(data), 12, dtype=int):
        with pytest.raises(InputError, match="The image (is not a readable image|cannot be decoded)"):
            photos.read(data[:length])


@pytest.mark.parametrize("form", ["BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP"])
@pytest.mark.filterwarnings("ignore")
def test_flipped_bytes_are_an_input_error_or_a_picture(form):
    data = np.frombuffer(encoded(Image.fromarray(portrait()[:32, :32]), form), np.uint8)
    rng = np.random.default_rng(0)
    for _ in range(40):
        broken = data.copy()
        broken[rng.integers(0, len(data), 4)] = rng.integers(0, 256, 4)
        try:
            assert photos.read(broken.tobytes(), max_pixels=1_000_000).shape[2] == 3
        except InputError:
            pass


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 1000, b"<html></html>", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\xff\xd8\xff"]
)
def test_rubbish_is_no_image(data):
    with pytest.raises(InputError, match="The image is not a readable image. Expected AVIF, BMP, GIF"):
        photos.read(data)


def test_files_are_named(tmp_path):
    with pytest.raises(InputError, match="none.png cannot be opened: No such file or directory"):
        photos.read(tmp_path / "none.png")
    with pytest.raises(InputError, match="cannot be opened: Is a directory"):
        photos.read(tmp_path)
    with pytest.raises(InputError, match="cannot be opened: .*null"):
        photos.read("a\0b")
    path = tmp_path / "text.png"
    path.write_text("no picture")
    with pytest.raises(InputError, match="text.png is not a readable image"):
        photos.read(path)


@pytest.mark.parametrize(
    "array",
    [np.zeros((4, 4, 3)), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4, 3), np.uint8), np.zeros(4, np.uint8)],
)
def test_other_arrays_are_refused(array):
    with pytest.raises(InputError, match=r"must be uint8 or uint16 of shape .* Received "):
        photos.read(array)


def test_other_things_are_refused():
    with pytest.raises(InputError, match="No such file or directory. URLs are not downloaded"):
        photos.read("https://faces.example/a.jpg")
    with pytest.raises(InputError, match="No image can be read from a list.* use `analyze_many`"):
        photos.read(["a.jpg", "b.jpg"])
    with pytest.raises(InputError, match="No image can be read from a NoneType"):
        photos.read(None)
    floats = Image.new("F", (2, 2))
    for limits in (decoding.FILES, dataclasses.replace(decoding.FILES, light_pixels=0)):
        for given, name in ((floats, "PIL image"), (encoded(floats, "TIFF"), "image")):
            with pytest.raises(InputError) as caught:
                photos.read(given, limits=limits)
            expected = "has floating-point values, whose range is unknown. Expected 8 to 16 bits."
            assert str(caught.value) == f"The {name} {expected}"
    with pytest.raises(InputError, match="values 70000 to 70000"):
        photos.read(Image.new("I", (2, 2), 70000))


def test_binary_files_are_read_from_their_start(tmp_path):
    file = io.BytesIO()
    Image.fromarray(plain(90)).save(file, "PNG")  # leaves it at its end
    np.testing.assert_array_equal(photos.read(file), plain(90))
    (tmp_path / "a.png").write_bytes(file.getvalue())
    with open(tmp_path / "a.png", "rb") as opened:
        np.testing.assert_array_equal(photos.read(opened), plain(90))
    with pytest.raises(InputError, match="The file object gives text. Open it as a binary file."):
        photos.read(io.StringIO("text"))
    with pytest.raises(InputError, match="The image is not a readable image"):
        photos.read(io.BytesIO())


def test_heic_is_read(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    path = tmp_path / "a.heic"
    pillow_heif.from_pillow(Image.fromarray(plain(90, 128, 96))).save(path)
    assert np.abs(photos.read(path).astype(int) - 90).max() <= 3
