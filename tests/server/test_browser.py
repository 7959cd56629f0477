"""The page of `fer-keras serve`, clicked in Debian's Chromium with a photograph and a camera that plays it."""

import base64
import re
import shutil

import numpy as np
import pytest
from helpers.portraits import PORTRAIT, brightness, portrait
from helpers.serving import serving, until
from PIL import Image

from fer_keras import FER
from fer_keras.data import EMOTIONS

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
)
PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1280, "height": 900}
FACE = re.compile(r"Face 1: (happy|neutral)")

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    playwright = pytest.importorskip("playwright.sync_api", reason="needs `pip install fer-keras[browser]`")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("needs Chromium: `apt-get install chromium`")
    film = camera_film(tmp_path_factory.mktemp("camera") / "film.mjpeg")
    with playwright.sync_playwright() as driver:
        flags = [*FLAGS, f"--use-file-for-fake-video-capture={film}"]
        browser = driver.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()


def camera_film(path):
    """Write what the fake camera plays for ever: the portrait in a 640 x 480 frame."""
    frame = np.full((480, 640, 3), 90, np.uint8)
    frame[:, 80:560] = portrait()[16:496, 16:496]
    with open(path, "wb") as file:
        for _ in range(10):
            Image.fromarray(frame).save(file, "JPEG", quality=90)
    return path


@pytest.fixture
def opened(chromium, request):
    """A function that opens the page; afterwards nothing may have gone wrong or been asked of another server.

    The parameter is the server's detector.
    """
    problems, requests, expected = [], [], []
    with serving(FER(brightness, detector=getattr(request, "param", "haar"))) as port:

        def open_page(expect=(), **options):
            expected.extend(expect)
            tab = chromium.new_page(**options)
            tab.set_default_timeout(20_000)
            tab.on("console", lambda message: problems.append(message.text))
            tab.on("pageerror", lambda error: problems.append(str(error)))
            tab.on("request", lambda request: requests.append(request.url))
            tab.goto(f"http://127.0.0.1:{port}/")
            return tab

        yield open_page
        for context in chromium.contexts:
            context.close()
    assert [text for text in problems if not any(part in text for part in expected)] == []
    local = (f"http://127.0.0.1:{port}/", "data:")
    assert [url for url in requests if not url.startswith(local)] == []


def status(tab, text):
    tab.get_by_role("status").filter(has_text=text).wait_for()


def upload(tab):
    tab.get_by_label("Choose a picture").set_input_files(PORTRAIT)
    status(tab, "1 face:")


def explained(tab):
    figure = tab.locator("figure")
    figure.wait_for()
    assert figure.locator("img").evaluate_all("all => all.map(image => image.naturalWidth)") == [288, 288]
    assert re.search(r"Covering the strongest place lowers its \d+\.\d % by \d+\.\d points\.", figure.inner_text())
    return figure


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_upload_and_why(opened, size, tmp_path):
    tab = opened(viewport=size)
    upload(tab)
    assert FACE.match(tab.locator(".card h2").inner_text())
    bars = tab.locator(".bars li")
    assert [text.split("\n")[0] for text in bars.all_inner_texts()] == list(EMOTIONS)
    shares = [int(text.split("\n")[-1].removesuffix(" %")) for text in bars.all_inner_texts()]
    (face,) = FER(brightness).analyze(PORTRAIT)
    # The page sends a JPEG, on which the eyes, and with them the crop, lie a part of a pixel away.
    assert shares == pytest.approx([100 * value for value in face.probabilities.values()], abs=3)
    assert bars.locator("i").evaluate_all("all => all.map(bar => parseInt(bar.style.width))")[3] == shares[3]
    # The frame lies where the face is: the box in the 512 x 512 picture, in the picture as it is shown.
    canvas, box = tab.locator("#still").bounding_box(), tab.locator(".box").bounding_box()
    place = [(box["x"] - canvas["x"]) / canvas["width"], (box["y"] - canvas["y"]) / canvas["height"]]
    assert place == pytest.approx([182 / 512, 64 / 512], abs=0.02)
    assert box["width"] / canvas["width"] == pytest.approx(85 / 512, abs=0.03)
    tab.locator(".box").click()
    explained(tab)
    assert tab.evaluate("document.documentElement.scrollWidth") <= size["width"]
    tab.screenshot(path=tmp_path / "upload.png", full_page=True)


def crowd(rgb):
    """Return boxes in three rows of five, the largest at the end, and two that cover each other."""
    height, width = rgb.shape[:2]
    rows = [
        (int(width * (0.02 + 0.2 * x)), int(height * (0.02 + 0.3 * y)), 60 + 4 * y, 60 + 4 * y, 1.0)
        for y in range(3)
        for x in range(5)
    ]
    return [*sorted(rows, key=lambda box: -box[2]), (200, 440, 50, 50, 1.0), (210, 440, 50, 50, 1.0)]


LABELS = """() => [...document.querySelectorAll(".box span")].filter(node => node.checkVisibility()).map(label => {
    const { left, right, top, bottom } = label.getBoundingClientRect();
    return { left, right, top, bottom, text: label.textContent };
})"""


@pytest.mark.parametrize("opened", [crowd], indirect=True)
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_labels_of_a_crowd_do_not_overlap(opened, size, tmp_path):
    tab = opened(viewport=size)
    tab.get_by_label("Choose a picture").set_input_files(PORTRAIT)
    status(tab, "17 faces:")
    labels, canvas = tab.evaluate(LABELS), tab.locator("#still").bounding_box()
    assert len(labels) >= 16
    for i, a in enumerate(labels):
        assert a["left"] >= canvas["x"] - 1 and a["right"] <= canvas["x"] + canvas["width"] + 1
        for b in labels[i + 1 :]:
            apart = (
                a["right"] <= b["left"]
                or b["right"] <= a["left"]
                or a["bottom"] <= b["top"]
                or b["bottom"] <= a["top"]
            )
            assert apart, (a, b)
    lefts = [box["x"] for box in (tab.locator(".box").nth(i).bounding_box() for i in range(5))]
    assert lefts == sorted(lefts)  # the first row, in reading order
    names = tab.locator(".box").evaluate_all("all => all.map(box => box.getAttribute('aria-label'))")
    assert [int(name.split(",")[0].removeprefix("Face ")) for name in names] == list(range(1, 18))
    tab.screenshot(path=tmp_path / "crowd.png", full_page=True)
    tab.locator(".box").nth(2).click()
    with tab.expect_response(lambda answer: "explain" in answer.url) as answer:
        tab.locator(".why").nth(0).click()
    assert answer.value.status == 200 and tab.evaluate("document.documentElement.scrollWidth") <= size["width"]


def test_the_keyboard_alone(opened):
    tab = opened(viewport=DESKTOP)
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.id") == "file"
    upload(tab)
    tab.get_by_role("button", name=re.compile(r"Face 1, \w+ \d+ %: why this answer\?")).focus()
    tab.keyboard.press("Enter")
    explained(tab)


GIVE = """async ([kind, base64]) => {
    const data = new DataTransfer(), options = { bubbles: true, cancelable: true };
    const bytes = Uint8Array.from(atob(base64), letter => letter.charCodeAt(0));
    data.items.add(new File([bytes], "a.png", { type: "image/png" }));
    document.body.dispatchEvent(kind === "drop" ? new DragEvent(kind, { dataTransfer: data, ...options })
        : new ClipboardEvent(kind, { clipboardData: data, ...options })); }"""


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_dropped_and_pasted(opened, kind):
    tab = opened(viewport=DESKTOP)
    tab.evaluate(GIVE, [kind, base64.b64encode(PORTRAIT.read_bytes()).decode()])
    status(tab, "1 face:")


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_camera_and_why(opened, size, tmp_path):
    tab = opened(viewport=size)
    tab.get_by_role("button", name="Use the camera").click()
    status(tab, "1 face:")
    assert tab.locator("#live").evaluate("video => [video.videoWidth, video.paused]") == [640, False]
    answered = "() => performance.getEntriesByType('resource').filter(r => r.name.includes('predict')).length"
    before = tab.evaluate(answered)
    until(lambda: tab.evaluate(answered) >= before + 3)  # it goes on
    # As in a mirror: the face is left of the middle in the film, so right of it on the page.
    canvas, box = tab.locator("#live").bounding_box(), tab.locator(".box").bounding_box()
    middle = (box["x"] + box["width"] / 2 - canvas["x"]) / canvas["width"]
    assert middle == pytest.approx(1 - (80 + 161 + 47.5) / 640, abs=0.03)
    tab.screenshot(path=tmp_path / "live.png", full_page=True)
    tab.locator(".why").click()
    explained(tab)
    assert tab.locator("#still").is_visible() and not tab.locator("#live").is_visible()
    asked = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.wait_for_timeout(500)
    assert asked == []  # the camera is off
    tab.screenshot(path=tmp_path / "why.png", full_page=True)
    tab.get_by_role("button", name="Use the camera").click()
    tab.get_by_role("button", name="Stop the camera").click()
    status(tab, "The camera is off.")


def test_what_is_no_picture_is_told(opened, tmp_path):
    (tmp_path / "a.png").write_bytes(b"rubbish")
    Image.fromarray(np.full((40, 60, 3), 128, np.uint8)).save(tmp_path / "b.png")
    tab = opened(expect=["422"], viewport=DESKTOP)
    tab.get_by_label("Choose a picture").set_input_files(tmp_path / "a.png")
    tab.get_by_role("alert").filter(has_text="The image is not a readable image").wait_for()
    tab.get_by_label("Choose a picture").set_input_files(tmp_path / "b.png")
    status(tab, "No face found.")
    assert not tab.get_by_role("alert").is_visible() and tab.locator(".card").count() == 0


def test_a_picture_that_only_the_server_reads(opened, tmp_path):
    Image.open(PORTRAIT).save(tmp_path / "a.tiff")
    tab = opened(viewport=DESKTOP)
    tab.get_by_label("Choose a picture").set_input_files(tmp_path / "a.tiff")
    status(tab, "1 face:")
    assert tab.locator("#still").evaluate("canvas => [canvas.width, canvas.height]") == [512, 512]


def test_a_large_picture_is_reduced_first(opened, tmp_path):
    large = Image.open(PORTRAIT).convert("RGB").resize((5000, 5000))  # more pixels than the server takes
    large.save(tmp_path / "a.jpg")
    tab = opened(viewport=DESKTOP)
    tab.get_by_label("Choose a picture").set_input_files(tmp_path / "a.jpg")
    tab.locator(".card").first.wait_for()
    assert tab.locator("#still").evaluate("canvas => canvas.width") == 2000


CONTRAST = """() => {
    const parse = text => text.match(/[\\d.]+/g).map(Number);
    const linear = v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
    const shares = [.2126, .7152, .0722];
    const light = color => shares.reduce((sum, share, i) => sum + share * linear(color[i] / 255), 0);
    const ground = node => {
        const color = parse(getComputedStyle(node).backgroundColor);
        return color[3] === 0 ? ground(node.parentElement) : color;
    };
    const words = "h1, h2, p, strong, button, .button, .bars span, .box span, a";
    const shown = [...document.querySelectorAll(words)].filter(node => node.innerText && node.checkVisibility());
    return shown.map(node => {
        const color = light(parse(getComputedStyle(node).color)), behind = light(ground(node));
        return [node.innerText.slice(0, 30), (Math.max(color, behind) + .05) / (Math.min(color, behind) + .05)];
    });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_their_ground(opened, scheme):
    tab = opened(viewport=PHONE, color_scheme=scheme)
    upload(tab)
    ratios = tab.evaluate(CONTRAST)
    assert len(ratios) > 20 and [entry for entry in ratios if entry[1] < 4.5] == []  # WCAG 2.2, level AA


def test_documentation(opened):
    tab = opened(viewport=PHONE)
    tab.get_by_role("link", name="JSON API").click()
    tab.get_by_role("heading", name="POST /api/predict").wait_for()
    tab.wait_for_load_state()  # the style sheet too
    assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
