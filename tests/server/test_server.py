"""The API of `fer-keras serve`, asked through a real socket."""

import base64
import io
import logging
import socket
import tempfile
import threading
import time

import numpy as np
import pytest
from helpers.hostile_images import jpeg, png
from helpers.portraits import PORTRAIT, brightness, plain
from helpers.serving import PORTRAIT_BYTES, Slow, ask, figures, form, in_threads, raw, serving, until
from PIL import Image

from fer_keras import FER
from fer_keras.recognition.steps import finish
from fer_keras.server import Limits, create_app, documentation
from fer_keras.server.app import TYPES
from fer_keras.server.middleware import HEADERS


@pytest.fixture(scope="module")
def port():
    with serving(FER(brightness, max_pixels=1_000_000)) as port:
        yield port


def encoded(picture, kind="PNG"):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, kind)
    return file.getvalue()


def test_faces_are_those_of_python(port):
    status, _, answer = ask(port, "/api/predict", PORTRAIT_BYTES, Content_Type="image/png")
    assert status == 200 and (answer["width"], answer["height"]) == (512, 512)
    assert answer["faces"] == [
        face.as_dict() | {"box": list(face.box)} for face in FER(brightness).analyze(PORTRAIT)
    ]


def test_no_face_is_an_empty_list(port):
    status, _, answer = ask(port, "/api/predict", encoded(plain(128)))
    assert (status, answer) == (200, {"width": 64, "height": 48, "faces": []})


def test_one_bad_image_of_a_batch(port):
    body, kind = form(("a.png", PORTRAIT_BYTES), ("b.png", b"rubbish"), ("c.png", b""), ("d.png", PORTRAIT_BYTES))
    status, _, answer = ask(port, "/api/batch", body, Content_Type=kind)
    assert status == 200
    first, bad, empty, last = answer["results"]
    assert [result["name"] for result in answer["results"]] == ["a.png", "b.png", "c.png", "d.png"]
    assert "is not a readable image" in bad["error"] and "faces" not in bad
    assert "is not a readable image" in empty["error"]
    assert first["faces"] == last["faces"] and first["faces"][0]["box"] == [182, 64, 85, 109]


@pytest.mark.parametrize("quoted, name", [("a.png", "a.png"), ("grüße", "grüße"), ("a\\\\b", "a\\b"), ("", "")])
def test_names_of_a_batch(port, quoted, name):
    fields = b'--b c\r\nContent-Disposition: form-data; name="note"\r\n\r\nno file\r\n'
    body = fields + form((quoted, encoded(plain(0))), boundary="b c")[0]
    status, _, answer = ask(port, "/api/batch", body, Content_Type='multipart/form-data; boundary="b c"')
    assert status == 200 and [result["name"] for result in answer["results"]] == [name]


def test_a_batch_is_limited():
    with serving(limits=Limits(images=2)) as port:
        three, kind = form(*[(f"{i}.png", encoded(plain(i))) for i in range(3)])
        status, _, answer = ask(port, "/api/batch", three, Content_Type=kind)
        assert (status, answer["error"]) == (413, "A batch has at most 2 images. Send the rest in another one.")
        two, kind = form(("a.png", encoded(plain(0))), ("b.png", encoded(plain(0))))
        assert ask(port, "/api/batch", two, Content_Type=kind)[0] == 200


@pytest.mark.parametrize(
    "body, kind, status",
    [
        (b"{}", "application/json", 415),
        (PORTRAIT_BYTES, "image/png", 415),
        (b"", "", 415),
        (b"--x--\r\n", "multipart/form-data", 400),
        (b"--other\r\n\r\n", "multipart/form-data; boundary=xyz", 400),
        (
            b"--xyz\r\nContent-Disposition: form-data\r\n\r\na\r\n--xyz--\r\n",
            "multipart/form-data; boundary=xyz",
            422,
        ),
        (b"--xyz\r\n" + b"A: b\r\n" * 5000 + b"\r\na\r\n--xyz--\r\n", "multipart/form-data; boundary=xyz", 400),
        (form(("a", b"b"))[0][:-8], "multipart/form-data; boundary=xyz", 400),
        (form(("a", b"b"))[0], f"multipart/form-data; boundary={71 * 'x'}", 400),
        (form(("a", b"b"))[0], "multipart/form-data; boundary*=utf-8''%e2%82%ac", 400),
        (form(*[("", b"")] * 500)[0], "multipart/form-data; boundary=xyz", 413),
        (b"--xyz--\r\n", "multipart/form-data; boundary=xyz", 422),
        (b"", "multipart/form-data; boundary=xyz", 400),
        (form(("a", b""))[0].replace(b"filename", b"other"), "multipart/form-data; boundary=xyz", 422),
    ],
)
def test_malformed_batches(port, body, kind, status):
    found, _, answer = ask(port, "/api/batch", body, Content_Type=kind)
    assert (found, list(answer)) == (status, ["error"])


def test_nothing_is_written_to_the_disk(port, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    large = encoded(plain(200, 1000, 1000), "BMP")
    body, kind = form(("large.bmp", large), ("again.bmp", large))
    status, _, answer = ask(port, "/api/batch", body, Content_Type=kind)
    assert status == 200 and [result["faces"] for result in answer["results"]] == [[], []]


def test_explanation(port):
    status, _, answer = ask(port, "/api/explain", PORTRAIT_BYTES)
    fer = FER(brightness)
    faces = fer.analyze(PORTRAIT)
    assert status == 200 and answer["box"] == list(faces[0].box)
    np.testing.assert_allclose(answer["heat"], fer.saliency(faces)[0], atol=1e-5)
    for name in ("seen", "why"):
        with Image.open(io.BytesIO(base64.b64decode(answer[name]))) as image:
            assert (image.format, image.size) == ("PNG", (288, 288))
    other = ask(port, "/api/explain?face=0&emotion=neutral", PORTRAIT_BYTES)[2]
    np.testing.assert_allclose(other["heat"], -np.array(answer["heat"]), atol=1e-4)  # the two sum to 1


@pytest.mark.parametrize(
    "query, message",
    [
        ("face=1", "The image has no face 1. Faces found: 1; the first has number 0."),
        ("face=-1", "face: Input should be greater than or equal to 0."),
        ("face=x", "face: Input should be a valid integer"),
        ("emotion=bored", "Unknown emotion 'bored'. Expected one of: angry, disgust, fear"),
    ],
)
def test_explanation_of_what_is_not_there(port, query, message):
    status, _, answer = ask(port, f"/api/explain?{query}", PORTRAIT_BYTES)
    assert status == 422 and answer["error"].startswith(message)


@pytest.mark.parametrize(
    "body, message",
    [
        (b"", "The image is not a readable image"),
        (b"text" * 100, "The image is not a readable image"),
        (PORTRAIT_BYTES[:5000], "it is damaged or cut short"),
        (encoded(plain(0, 2000, 2000)), "2000 x 2000 pixels, more than 1,000,000"),
    ],
)
def test_images_that_cannot_be_read(port, body, message):
    status, _, answer = ask(port, "/api/predict", body)
    assert status == 422 and message in answer["error"]
    assert "/" not in answer["error"] and "0x" not in answer["error"]


def test_large_bodies_are_refused_unread(port):
    head = "POST /api/predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    told = raw(port, f"{head}Content-Length: 52428800\r\n\r\n".encode())
    assert told.startswith(b"HTTP/1.1 413 ") and b"at most 10,485,760" in told
    status, _, answer = ask(port, "/api/predict", bytes(20 << 20))  # who sends it all gets the answer too
    assert status == 413 and "20,971,520 bytes" in answer["error"]
    told = raw(port, f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
    assert told.startswith(b"HTTP/1.1 411 ")


def test_slow_bodies_are_given_up():
    with serving(limits=Limits(body_seconds=0.2)) as port:
        head = b"POST /api/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc"
        told = raw(port, head)
        assert told.startswith(b"HTTP/1.1 408 ") and b"within 0.2 seconds" in told
        assert figures(port)["fer_keras_buffered_bytes"] == "0.0"


def test_memory_for_bodies_is_limited():
    with serving(limits=Limits(buffered_bytes=2000)) as port:
        status, headers, answer = ask(port, "/api/predict", PORTRAIT_BYTES)
        assert (status, headers["Retry-After"]) == (429, "1") and "Try again" in answer["error"]
        assert ask(port, "/api/predict", b"small")[0] == 422


def test_requests_at_once_are_limited():
    slow = Slow()
    with serving(FER(slow), Limits(requests=4, threads=1)) as port:
        threads, answers = in_threads(2, port, "/api/predict", PORTRAIT_BYTES)
        until(lambda: figures(port)["fer_keras_requests_at_once"] == "2.0")
        status, headers, _ = ask(port, "/api/predict", PORTRAIT_BYTES)
        assert (status, headers["Retry-After"]) == (429, "1")
        assert ask(port, "/healthz")[2] == {"status": "ok"}  # the work is not in its way
        slow.go.set()
        for thread in threads:
            thread.join()
        assert [answer[0] for answer in answers] == [200, 200]
        assert ask(port, "/api/predict", PORTRAIT_BYTES)[0] == 200


def test_a_crowd_is_classified_in_turns():
    counts = []

    def classifier(crops):
        counts.append(len(crops))
        return brightness(crops)

    def crowd(rgb):
        return [(x, y, 20, 20, 1.0) for x in range(0, 200, 20) for y in range(0, 140, 20)]

    with serving(FER(classifier, detector=crowd)) as port:
        answer = ask(port, "/api/predict", PORTRAIT_BYTES)[2]
    assert counts == [32, 32, 6]
    assert [face["box"][:2] for face in answer["faces"]] == [list(box[:2]) for box in crowd(None)]


class Searching:
    """A detector whose search of a small image lasts until the event `over` is set."""

    def __init__(self):
        self.begun, self.over = 0, threading.Event()

    def __call__(self, rgb):
        return finish(self.steps(rgb))

    def steps(self, rgb):
        if rgb.shape[0] == 8:
            self.begun += 1
            while not self.over.is_set():
                yield
        return [(0, 0, 8, 8)]


def test_a_crowd_is_searched_in_turns():
    detector = Searching()
    with serving(FER(brightness, detector=detector), Limits(threads=1)) as port:
        threads, answers = in_threads(2, port, "/api/predict", png(8, 8))
        until(lambda: detector.begun == 3)  # one of them again
        for path in ("/api/predict", "/api/explain"):
            assert ask(port, path, PORTRAIT_BYTES)[0] == 200
        assert not answers and detector.begun == 3
        detector.over.set()
        for thread in threads:
            thread.join()
        assert [answer[0] for answer in answers] == [200, 200]


def test_costly_images_are_decoded_apart(port):
    body, kind = form(
        ("costly.jpg", jpeg(1000, 900, 200_000)), ("costly.png", png(1, 900_000)), ("a.png", PORTRAIT_BYTES)
    )
    status, _, answer = ask(port, "/api/batch", body, Content_Type=kind)
    first, second, third = answer["results"]
    assert status == 200 and "takes more than 2 s to decode" in first["error"]
    assert (second["width"], second["height"], second["faces"]) == (1, 900_000, []), second
    assert len(third["faces"]) == 1


def test_small_images_do_not_wait_for_costly_ones(port):
    threads, answers = in_threads(2, port, "/api/predict", jpeg(1000, 900, 200_000))
    until(lambda: figures(port)["fer_keras_requests_at_once"] == "2.0")
    assert ask(port, "/api/predict", PORTRAIT_BYTES)[0] == 200
    assert not answers
    for thread in threads:
        thread.join()
    assert [answer[0] for answer in answers] == [422, 422]


@pytest.mark.parametrize(
    "kind", ["multipart/form-data; boundary=x", "Multipart/Mixed", "application/json", "application/ld+json"]
)
@pytest.mark.parametrize("path", ["/api/predict", "/api/explain"])
def test_other_bodies_are_answered_with_an_example(port, path, kind):
    status, _, answer = ask(port, path, b"{}", Content_Type=kind)
    assert status == 415 and "curl --data-binary @photo.jpg" in answer["error"]


@pytest.mark.parametrize("kind", ["image/png", "application/x-www-form-urlencoded", "text/plain", ""])
def test_the_kind_of_other_bodies_does_not_matter(port, kind):
    assert ask(port, "/api/predict", PORTRAIT_BYTES, Content_Type=kind)[0] == 200


@pytest.mark.parametrize(
    "disposition",
    [
        "form-data; name=a; filename=b; filename*=idna''b.jpg",
        "form-data; name=a; filename=b; filename*=undefined''b.jpg",
        "form-data; name=a; filename=b; filename*=unicode_escape''%5Cud800",
        "form-data; name=a; filename=b; filename*=utf-7''%2b2AA-",
        "form-data; name=a; filename=b; filename*=%00''abc",
        "form-data; name=a; filename=b; filename*0*=utf-8''%e2; filename*1*=%82%ac",
        "form-data; filename=b; filename*" + "9" * 3000 + "*=utf-8''x",
        "form-data" + ";a=b" * 900 + ";filename=b",
        'FORM-DATA; name="filename=x"; filename="b"',
    ],
)
def test_names_in_odd_charsets(port, disposition):
    body = f"--x\r\nContent-Disposition: {disposition}\r\n\r\nrubbish\r\n--x--\r\n".encode()
    status, _, answer = ask(port, "/api/batch", body, Content_Type="multipart/form-data; boundary=x")
    assert status == 200 and [result["name"] for result in answer["results"]] == ["b"]


def test_who_left_is_not_answered():
    slow = Slow()
    with serving(FER(slow), Limits(threads=1)) as port:
        threads, _ = in_threads(1, port, "/api/predict", PORTRAIT_BYTES)
        until(lambda: slow.calls == 1)
        with socket.create_connection(("127.0.0.1", port)) as left:
            head = (
                f"POST /api/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(PORTRAIT_BYTES)}\r\n\r\n"
            )
            left.sendall(head.encode() + PORTRAIT_BYTES)
            until(lambda: figures(port)["fer_keras_requests_at_once"] == "2.0")
        time.sleep(0.1)
        slow.go.set()
        threads[0].join()
        until(lambda: 'fer_keras_requests_total{endpoint="/api/predict",status="499"}' in figures(port))
        assert slow.calls == 1 and figures(port)["fer_keras_requests_at_once"] == "0.0"


OTHER_HOSTS = (
    *(
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "[::1",
        "",
        "localhost@evil",
        "evil@localhost",
    ),
    *("localhost/evil.example", "localhost#evil.example", "localhost:x", "0.0.0.0", "10.0.0.1", "localhost:99999"),
)


def test_only_this_computers_names_are_answered():
    with serving(host="mine.example") as port:
        for host in ("localhost", "127.0.0.1", f"localhost:{port}", f"[::1]:{port}", "LOCALHOST", "127.0.0.2"):
            assert ask(port, "/healthz", Host=host)[0] == 200
        assert ask(port, "/healthz", Host="mine.example:80")[0] == 200  # the name that --host gave
        for host in OTHER_HOSTS:
            assert ask(port, "/healthz", Host=host)[0] == 400


def test_pages_of_other_sites_are_refused(port):
    for site in ("cross-site", "same-site", "Cross-Site", ""):
        assert ask(port, "/api/predict", b"image", Sec_Fetch_Site=site)[0] == 403
    for site in ("same-origin", "none"):
        assert ask(port, "/api/predict", b"image", Sec_Fetch_Site=site)[0] == 422
    assert ask(port, "/", Sec_Fetch_Site="cross-site", Origin="http://evil.example")[0] == 200  # a link leads here
    two = b"Sec-Fetch-Site: cross-site\r\nSec-Fetch-Site: same-origin\r\n"
    head = b"POST /api/predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 1\r\n"
    assert raw(port, head + two + b"\r\na").startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize(
    "host, origin, status",
    [
        ("localhost:8000", "http://localhost:8000", 422),
        ("LOCALHOST:8000", "HTTP://localhost:8000", 422),
        ("faces.example", "https://faces.example", 422),
        ("faces.example:80", "http://faces.example", 422),
        ("faces.example:443", "https://faces.example", 422),
        ("localhost:8000", "http://localhost:3000", 403),
        ("localhost:8000", "http://127.0.0.1:8000", 403),
        ("localhost:8000", "http://evil.example", 403),
        ("localhost:8000", "http://localhost:8000.evil.example", 403),
        ("localhost:8000", "http://localhost:8000@evil.example", 403),
        ("localhost:8000", "null", 403),
        ("localhost:8000", "", 403),
        ("localhost:8000", "localhost:8000", 403),
    ],
)
@pytest.mark.parametrize("site", [{}, {"Sec_Fetch_Site": "same-origin"}])
def test_origins_of_other_sites_are_refused(port, host, origin, status, site):
    found, _, answer = ask(port, "/api/predict", b"image", Host=host, Origin=origin, **site)
    assert found == status and ("Pages of other sites" in answer["error"]) == (status == 403)


def broken(crops):
    raise KeyError("/home/secret/model")


def test_failures_tell_no_secrets(caplog):
    caplog.set_level(logging.DEBUG, "fer_keras")
    with serving(FER(broken)) as port:
        status, headers, answer = ask(port, "/api/predict?token=hidden", PORTRAIT_BYTES)
        assert (status, answer) == (500, {"error": "Internal error. The server's log names the place."})
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert ask(port, "/home/secret?token=hidden")[0] == 404
    (told,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert told.startswith("A request failed: KeyError in broken, test_server.py line ")
    assert not any(word in caplog.text for word in ("secret", "hidden", "/home", "Traceback"))
    assert {record.name for record in caplog.records} == {"fer_keras"}


@pytest.mark.parametrize("path", ["/", "/page.js", "/docs", "/healthz", "/metrics", "/none", "/openapi.json"])
def test_security_headers(port, path):
    _, headers, _ = ask(port, path)
    assert {name: headers[name] for name in HEADERS} == HEADERS
    assert "Server" not in headers
    assert "unsafe" not in HEADERS["content-security-policy"]


def test_wrong_method(port):
    status, headers, answer = ask(port, "/api/predict")
    assert (status, headers["Allow"], answer) == (405, "POST", {"error": "Method Not Allowed"})


def test_figures_of_prometheus():
    with serving() as port:
        ask(port, "/api/predict", PORTRAIT_BYTES)
        ask(port, "/api/predict", b"rubbish")
        ask(port, "/any/thing?x=1")
        told = figures(port)
    assert told['fer_keras_requests_total{endpoint="/api/predict",status="200"}'] == "1.0"
    assert told['fer_keras_requests_total{endpoint="/api/predict",status="422"}'] == "1.0"
    assert told['fer_keras_requests_total{endpoint="other",status="404"}'] == "1.0"
    assert told['fer_keras_request_seconds_count{endpoint="/api/predict"}'] == "2.0"
    assert told["fer_keras_faces_total"] == "1.0"


def test_openapi_and_its_page():
    schema = create_app(FER(brightness)).openapi()
    paths = ["/api/predict", "/api/batch", "/api/explain", "/healthz", "/metrics"]
    assert list(schema["paths"]) == paths
    assert set(schema["paths"]["/api/predict"]["post"]["responses"]) == {
        "200",
        "408",
        "411",
        "413",
        "415",
        "422",
        "429",
    }
    page = documentation.page(schema, "http://faces.example:81/")
    assert "portrait.jpg http://faces.example:81/api/predict" in page
    for line in ("POST /api/predict", "POST /api/batch", "POST /api/explain", "GET /healthz", "GET /metrics"):
        assert f"<code>{line}</code>" in page
    assert "<td>Picture: Successful Response</td>" in page and "array of Face. the largest first" in page


def test_pages_need_no_network(port):
    for path in ("/", *(f"/{name}" for name in TYPES if name != "page.html"), "/docs"):
        text = ask(port, path)[2].decode().replace(f"http://127.0.0.1:{port}", "").replace("http://localhost", "")
        assert "http:" not in text and "https:" not in text and "//cdn" not in text
