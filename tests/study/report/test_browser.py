"""The report's page, clicked in Debian's Chromium."""

import shutil

import numpy as np
import pytest
from helpers.report_results import FACES, found, new_seeds, result

from fer_keras.study import STEPS
from fer_keras.study.report import page

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
NOT_GOOD = "None of these networks is good: all stay below 50 %."
BEST, ONE, THREE = "2-1024-Layer-NN", "1-Layer-NN", "3-1024-Layer-NN"  # by validation accuracy: 43, 42, 32 %
WIDTH = "document.documentElement.scrollWidth"
PHONE = {"width": 360, "height": 740}

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture(scope="module")
def chromium():
    playwright = pytest.importorskip("playwright.sync_api", reason="needs `pip install fer-keras[browser]`")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("needs Chromium: `apt-get install chromium`")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium, tmp_path):
    """A function that opens the report; afterwards nothing may have gone wrong or asked for the network."""
    problems, requests = [], []

    def open_page(faces=None, results=None, **options):
        requests.clear()
        file = tmp_path / "report.html"
        file.write_text(page.html(results or found(), faces), encoding="utf-8")
        tab = chromium.new_page(**options)
        tab.set_default_timeout(10_000)
        tab.on("console", lambda message: problems.append(message.text))
        tab.on("pageerror", lambda error: problems.append(str(error)))
        tab.on("request", lambda request: requests.append(request.url))
        tab.goto(file.as_uri())
        return tab

    yield open_page
    for context in chromium.contexts:
        context.close()
    assert problems == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in requests if url.startswith("file:")]) == 1


def names(tab):
    return tab.locator("#leaderboard tbody tr").evaluate_all("rows => rows.map(row => row.dataset.run)")


def curves(tab):
    return tab.locator("#curve-plot g").evaluate_all("groups => groups.map(group => group.dataset.name)")


def test_leaderboard_is_sorted_by_a_click(opened):
    tab = opened()
    assert names(tab) == [BEST, ONE, THREE]
    header = tab.locator("#leaderboard th")
    assert header.nth(4).get_attribute("aria-sort") == "descending"
    tab.locator("#leaderboard").get_by_role("button", name="validation %").click()
    assert names(tab) == [THREE, ONE, BEST]
    assert header.nth(4).get_attribute("aria-sort") == "ascending"
    tab.locator("#leaderboard").get_by_role("button", name="run", exact=True).click()
    assert names(tab) == [ONE, BEST, THREE]
    # Test accuracies: 1-Layer-NN 43 %, the others 40 %.
    tab.locator("#leaderboard").get_by_role("button", name="test %").click()
    assert names(tab)[0] == ONE


def test_leaderboard_is_sorted_by_the_keyboard(opened):
    tab = opened()
    tab.locator("#leaderboard").get_by_role("button", name="gap, points").focus()
    tab.keyboard.press("Enter")
    assert names(tab) == [THREE, ONE, BEST]  # gaps 28, 18, 17
    tab.keyboard.press("Enter")
    assert names(tab) == [BEST, ONE, THREE]


def test_leaderboard_is_filtered(opened):
    tab = opened()
    tab.get_by_label("Name contains").fill("1024")
    assert names(tab) == [BEST, THREE]
    assert tab.locator("#count").inner_text() == "2 of 3 runs"
    tab.get_by_label("Name contains").fill("")
    tab.locator("#step-filter").select_option("2")
    assert names(tab) == []
    tab.locator("#step-filter").select_option("1")
    assert len(names(tab)) == 3


def test_curves_by_step_and_metric(opened):
    tab = opened()
    assert sorted(curves(tab)) == sorted([BEST, ONE, THREE])
    tab.locator("#curve-legend").get_by_label(ONE).click()
    assert sorted(curves(tab)) == sorted([BEST, THREE])
    tab.locator("#curve-legend").get_by_label(ONE).click()
    assert len(curves(tab)) == 3
    tab.locator("#curve-metric").select_option("grad_ratio")
    assert "gradient-to-weight ratio" in tab.locator("#curve-plot svg").get_attribute("aria-label")
    tab.locator("#curve-step").select_option("2")
    assert curves(tab) == [THREE]
    tab.locator("#curve-step").select_option("3")
    assert tab.locator("#curve-plot").inner_text() == "No values."


def test_findings_are_filtered_by_verdict(opened):
    tab = opened(results=new_seeds())
    findings = tab.locator("article.finding")
    every = findings.count()
    tab.locator("#verdict-filter").select_option("holds")
    assert findings.locator(".claim").all_inner_texts() == ["Three layers are worst.", NOT_GOOD]
    assert findings.first.locator(".pair svg").count() == 2
    assert findings.first.locator(".sentence").inner_text() == (
        "Confirmed: the differences are -5.00 points to -5.00 points."
    )
    # An axis for the differences between runs, one for those from 50 %.
    assert tab.locator(".forest-axis").count() == 2
    assert tab.locator(".reported").all_inner_texts() == [f"The report: {STEPS[0].claim}"]
    tab.locator("#verdict-filter").select_option("does not hold")
    failed = findings.count()  # gradient ratios are equal in all invented results
    assert findings.first.locator(".claim").inner_text().startswith("With three layers less of the gradient")
    tab.locator("#verdict-filter").select_option("not judged yet")
    assert 2 + failed + findings.count() == every
    assert tab.locator("#verdict-count").inner_text().startswith(f"holds: 2, does not hold: {failed}, ")


def test_runs_beyond_the_study_have_a_table_of_their_own(opened):
    other = {"resnet": [result("Resnet", 0, 0.9, 0.9)]}
    tab = opened(results=found() | other)
    assert tab.locator("#beyond tbody tr").evaluate_all("rows => rows.map(row => row.dataset.run)") == ["Resnet"]
    assert names(tab) == [BEST, ONE, THREE]
    assert tab.locator("#detail-run option").all_inner_texts() == [BEST, ONE, THREE, "Resnet"]
    assert not opened().locator("#beyond").is_visible()


def test_the_best_run_is_opened(opened):
    tab = opened(results=found() | {"cnn_best": [result("3-2-Best", 0, 0.2, 0.2)]})
    assert tab.locator("#detail-run").input_value() == "3-2-Best"
    assert opened().locator("#detail-run").input_value() == BEST


def test_a_runs_settings_classes_and_spreads(opened):
    tab = opened()
    assert tab.locator("#settings tr").all_inner_texts() == ["batch_size\t64", "model_options.units\t[4,2]"]
    assert tab.locator("#classes tr").nth(1).inner_text() == "angry\t50.00 ± 0.00\t\t"
    for place in ("#gradients", "#parameters"):
        assert tab.locator(f"{place} g").count() == 2
    assert "standard deviation by epoch" in tab.locator("#gradients svg").first.get_attribute("aria-label")


def test_data_review(opened):
    assert "fer-keras report --data PATH" in opened().locator("#review").inner_text()
    tab = opened(FACES)
    # 30 faces, ten of each usage; labels run through the classes.
    counts = np.bincount(FACES.labels[FACES.usages == 0], minlength=7)
    cells = tab.locator("#review tr td:nth-child(2)").all_inner_texts()
    assert cells == [str(count) for count in counts]
    assert tab.locator("#review img").count() == 30
    assert "exact duplicates" in tab.locator("#review ul").inner_text()


def test_a_run_is_opened_from_the_leaderboard(opened):
    tab = opened()
    tab.locator("#leaderboard tbody").get_by_role("button", name=ONE).click()
    assert tab.locator("#detail-run").input_value() == ONE
    assert tab.locator("#detail").evaluate("node => Math.abs(node.getBoundingClientRect().top)") < 900
    confusion = tab.locator("#confusion td")
    assert confusion.count() == 49
    # Each cell is the sum of the seeds' 0, 1 and 2, a seventh of its row.
    assert set(confusion.all_inner_texts()) == {"14.3"}
    assert confusion.first.get_attribute("title") == "3 of 21 images"
    assert tab.locator("#ratios g").count() == 2
    assert tab.locator("#overfit figcaption div").nth(2).inner_text() == "Seed 2: Learns well </script><b>"


def test_mistakes_without_the_faces(opened):
    tab = opened()
    rows = tab.locator("#mistakes tr")
    assert rows.nth(1).locator("td").all_inner_texts() == ["7", "angry", "happy", "98.8 %"]
    assert rows.nth(2).locator("td").all_inner_texts() == ["0", "fear", "surprise", "90.0 %"]
    assert "To see the faces: fer-keras report --data PATH" in tab.locator("#mistakes figcaption").inner_text()


def test_mistakes_with_the_faces(opened):
    tab = opened(FACES)
    tab.locator("#detail-run").select_option(THREE)
    faces = tab.locator("#mistakes .faces > div")
    assert faces.first.inner_text().split("\n") == ["angry", "as happy", "98.8 %"]
    images = faces.locator("img")
    assert images.evaluate_all("all => all.map(image => image.naturalWidth)") == [48, 48]
    # The first test image's corner, as the page shows it: place 7, so row 27 of the data.
    corner = """image => { const canvas = document.createElement("canvas").getContext("2d");
        canvas.drawImage(image, 0, 0); return canvas.getImageData(0, 0, 1, 1).data[0]; }"""
    assert images.first.evaluate(corner) == FACES.images[27, 0, 0, 0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_needs_no_sideways_scrolling(opened, scheme):
    tab = opened(FACES, viewport=PHONE, color_scheme=scheme)
    assert tab.evaluate(WIDTH) <= PHONE["width"]
    assert opened(FACES, results=new_seeds(), viewport=PHONE).evaluate(WIDTH) <= PHONE["width"]
    text = tab.locator("#curve-plot text").first
    assert text.evaluate("node => node.getBoundingClientRect().height") > 8
    ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(22, 22, 22)")


def test_charts_follow_the_width_of_the_window(opened):
    tab = opened(viewport=PHONE)
    chart = tab.locator("#curve-plot svg")
    narrow = chart.bounding_box()["width"]
    tab.set_viewport_size({"width": 1280, "height": 800})
    tab.wait_for_function(  # the page draws it anew a moment after the window has changed
        """() => {
            const chart = document.querySelector("#curve-plot svg");
            return chart.viewBox.baseVal.width === Math.round(chart.getBoundingClientRect().width);
        }"""
    )
    assert chart.bounding_box()["width"] > 3 * narrow
