"""Ask `fer-keras serve` rightly while hostile clients are at it; every answer must be right and the memory stay.

On Linux, whose /proc tells the memory.

    python tests/stress_server.py
    python tests/stress_server.py --detector haar --requests 2000 --rounds 10
    python tests/stress_server.py --requests 40 --rounds 2 --model model.onnx

Ends with the tables of docs/reliability.md, and with code 1 if a right request was not answered as Python answers
it, a hostile one otherwise than expected, the memory grew over the rounds, or the log told more than it should.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import http.client
import itertools
import json
import os
import pathlib
import random
import re
import socket
import subprocess
import sys
import threading
import time

import numpy as np
from helpers import hostile_images
from helpers.hostile_images import encoded
from helpers.portraits import portrait
from helpers.serving import ask, form, raw, until

from fer_keras import FER

CONCURRENCY, ATTACKERS, SLOW_CLIENTS = 16, 4, 8
# MiB over the second half of the rounds. What grows once is up to 90: each thread keeps buffers of the largest
# picture and, with MTCNN, of each new size of picture, and may meet these late. More than that is a leak.
MOST_GROWTH = 128
TOLERANCE = 1e-4
LONGEST = "seconds at most"
POST = "POST /api/predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"


def right_pictures():
    """Return pictures with one face, two and none, as different files."""
    face = portrait()
    views = [face, face[:, ::-1], face[20:, 20:], np.concatenate([face, face[:, ::-1]], axis=1), face[300:]]
    return [encoded(np.ascontiguousarray(v), kind) for v in views for kind in ("JPEG", "PNG")]


class Server:
    """`fer-keras serve` as a process of its own."""

    def __init__(self, model, detector=None):
        words = ["--verbose", "serve", "--port", "0", *(["--model", model] if model else [])]
        words += ["--detector", detector] if detector else []
        command = [sys.executable, "-m", "fer_keras", *words]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.log = []
        for line in self.process.stderr:
            self.log.append(line)
            if started := re.search(r"Serving on http://127\.0\.0\.1:(\d+)", line):
                break
        else:
            raise SystemExit("".join(self.log))
        self.port = int(started[1])
        threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True).start()

    def memory(self):
        """Return its own memory in MiB, the least of a second: what those sent who left may be in work.

        Without mapped files, of which Linux keeps more or less of PyTorch's resident as it likes.
        """
        return min(self.memory_now() for _ in range(10))

    def memory_now(self):
        time.sleep(0.1)
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"^RssAnon:\s+(\d+) kB", status, re.M)[1]) / 1024

    def stop(self):
        self.process.terminate()
        return self.process.wait(30)


def post(port, path, body, kind=None):
    """Return the status of a request, "cut" where the connection ends without one."""
    try:
        return ask(port, path, body, **({"Content_Type": kind} if kind else {}))[0]
    except (ConnectionError, http.client.HTTPException):
        return "cut"


def told(answer):
    return int(answer.split(b" ")[1]) if answer.startswith(b"HTTP/1.1 ") else "cut"


def leave(port, data):
    """Send `data` and leave."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(data)
    return "left"


def attacks():
    """Return `{name: (what does it to a port and returns what came of it, what may come of it)}`."""
    bomb = encoded(np.zeros((30_000, 30_000), bool), "PNG")
    largest = encoded(np.zeros((4472, 4472), np.uint8), "PNG")
    pictures = {name: make() for name, make in hostile_images.IMAGES.items()}
    whole = encoded(portrait(), "JPEG", quality=95)
    head = f"{POST}Content-Length: {len(whole)}\r\n\r\n".encode()
    batch, kind = form(*[(f"{i}.png", bomb if i % 2 else b"rubbish") for i in range(16)])
    broken = batch[: len(batch) // 2].replace(b"\r\n\r\n", b"\r\n", 1)
    get = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
    return {
        "pixel bomb, 900 million pixels": (lambda port: post(port, "/api/predict", bomb), {422}),
        # 422: a machine with much other work does not decode it within the limit of time.
        "largest picture that is let in": (lambda port: post(port, "/api/predict", largest), {200, 422}),
        # 200: a fast machine decodes some of these within the limit of time.
        **{
            name: (lambda port, image=image: post(port, "/api/predict", image), {200, 422})
            for name, image in pictures.items()
        },
        "two kinds of length": (
            lambda port: told(
                raw(port, f"{POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
            ),
            {400},
        ),
        "16 bombs in a batch": (lambda port: post(port, "/api/batch", batch, kind), {200}),
        "cut short": (lambda port: post(port, "/api/predict", whole[:20_000]), {422}),
        "50 MB": (lambda port: post(port, "/api/predict", bytes(50_000_000)), {413}),
        "text": (lambda port: post(port, "/api/predict", b"no picture " * 1000), {422}),
        "0 bytes": (lambda port: post(port, "/api/predict", b""), {422}),
        "malformed multipart": (lambda port: post(port, "/api/batch", broken, kind), {400}),
        "no multipart": (lambda port: post(port, "/api/batch", whole, "image/jpeg"), {415}),
        "a body in chunks": (
            lambda port: told(raw(port, f"{POST}Transfer-Encoding: chunked\r\n\r\n".encode())),
            {411},
        ),
        "a header of 300 kB": (lambda port: told(raw(port, get + b"X: " + b"a" * 300_000)), {400, "cut"}),
        "60,000 headers": (lambda port: told(raw(port, get + b"X: a\r\n" * 60_000)), {400, "cut"}),
        "two lengths": (
            lambda port: told(raw(port, get + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\na")),
            {400},
        ),
        "another Host": (
            lambda port: told(raw(port, get.replace(b"localhost", b"evil.example") + b"\r\n")),
            {400},
        ),
        "no HTTP": (lambda port: told(raw(port, b"\x16\x03\x01\x02\x00\x01")), {400, "cut"}),
        "left in the middle": (lambda port: leave(port, head + whole[:10_000]), {"left"}),
        "left before the answer": (lambda port: leave(port, head + whole), {"left"}),
    }


def turns(kinds, seed):
    """Yield the names of the attacks, each as often as the others, in an order of chance, without end."""
    chance = random.Random(seed)
    while True:
        yield from chance.sample(list(kinds), len(kinds))


def attack(port, kinds, orders, figures, done, number):
    """Attack in the order of that number until the event `done`; the next call goes on in it."""
    while not done.is_set():
        name = next(orders[number])
        figures[name, kinds[name][0](port)] += 1


def creep(port, figures, done, number):
    """Send a byte of a header or of a body a second until the server has enough of it, again and again."""
    name, start = ("slow header", POST) if number % 2 else ("slow body", f"{POST}Content-Length: 100000\r\n\r\n")
    while not done.is_set():
        begin, outcome = time.monotonic(), None
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(start.encode())
            while outcome is None and not done.is_set():
                outcome = heard(connection)
                if outcome is None:
                    connection.sendall(b"a")
        if outcome is not None:
            figures[name, outcome] += 1
            figures[name, LONGEST] = max(figures[name, LONGEST], round(time.monotonic() - begin))


def heard(connection):
    """Return what the server answered within a second, None where it waits for more."""
    try:
        return told(connection.recv(1 << 16))
    except TimeoutError:
        return None
    except ConnectionError:
        return "cut"


def question(port, number, pictures, expected):
    """Ask rightly, each tenth time a batch with a bad image; return the seconds and what was wrong or None."""
    chosen = number % len(pictures)
    begin = time.monotonic()
    if number % 10 == 9:
        body, kind = form(("a", pictures[chosen]), ("bad", b"rubbish"), ("b", pictures[0]))
        status, _, answer = ask(port, "/api/batch", body, Content_Type=kind)
        fine = status == 200 and "error" in answer["results"][1]
        found = [answer["results"][i]["faces"] for i in (0, 2)] if fine else None
        wanted = [expected[chosen], expected[0]]
    else:
        status, _, answer = ask(port, "/api/predict", pictures[chosen])
        found, wanted = [answer.get("faces")], [expected[chosen]]
    seconds = time.monotonic() - begin
    return seconds, None if status == 200 and equal(found, wanted) else f"{status}: {json.dumps(answer)[:300]}"


def equal(found, wanted):
    """Return whether the faces of pictures are the same, probabilities to `TOLERANCE`."""
    if [[face["box"] for face in faces] for faces in found] != [[f["box"] for f in faces] for faces in wanted]:
        return False
    pairs = zip(itertools.chain(*found), itertools.chain(*wanted), strict=True)
    return all(
        abs(a["probabilities"][e] - v) <= TOLERANCE for a, b in pairs for e, v in b["probabilities"].items()
    )


@contextlib.contextmanager
def clients(count, target, *arguments):
    """Within the block, `count` threads call `target` with the arguments, an event that ends it, and a number."""
    done = threading.Event()
    threads = [threading.Thread(target=target, args=(*arguments, done, number)) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()


def run(server, options, pictures, expected):
    """Ask in rounds under attack; return the seconds of each question, what was wrong, attacks, memory.

    Memory is that between the rounds, when nobody but the slow clients is there: what stays, not what is in work.
    """
    figures, answers, memory, kinds = collections.Counter(), [], [server.memory()], attacks()
    orders = [turns(kinds, seed) for seed in range(ATTACKERS)]
    with clients(SLOW_CLIENTS, creep, server.port, figures):
        for numbers in np.array_split(range(options.requests), options.rounds):
            with (
                clients(ATTACKERS, attack, server.port, kinds, orders, figures),
                concurrent.futures.ThreadPoolExecutor(CONCURRENCY) as pool,
            ):
                asked = [pool.submit(question, server.port, int(n), pictures, expected) for n in numbers]
                answers += [future.result() for future in asked]
            memory.append(server.memory())
        until(lambda: {"slow header", "slow body"} <= {name for name, _ in list(figures)}, 60)
    return [a[0] for a in answers], [a[1] for a in answers if a[1]], figures, kinds, memory


def faults(wrong, figures, kinds, memory, log, code):
    """Return what should not have been."""
    allowed = {name: outcomes for name, (_, outcomes) in kinds.items()}
    found = [f"answered wrongly: {text}" for text in wrong]
    for (name, outcome), count in figures.items():
        if outcome not in allowed.get(name, {408, "cut", LONGEST}):
            found.append(f"{name}: {outcome}, {count} times")
    growth = memory[-1] - memory[len(memory) // 2]
    if growth > MOST_GROWTH:
        found.append(f"memory grew by {growth:.0f} MiB")
    found += [
        f"in the log: {line.strip()}" for line in log if re.search(r"Traceback|rubbish|evil|\.py|/home|/tmp", line)
    ]
    return found + ([f"ended with code {code}"] if code else [])


def table(rows):
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", help="best, tiny, ferplus, a .keras or an .onnx file, as for fer-keras serve")
    parser.add_argument("--detector", default="mtcnn", help="as for fer-keras serve")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    pictures, fer, begin = right_pictures(), FER(options.model, detector=options.detector), time.monotonic()
    expected = [[json.loads(json.dumps(face.as_dict())) for face in faces] for faces in fer.analyze_many(pictures)]
    server = Server(options.model, options.detector)
    try:
        seconds, wrong, figures, kinds, memory = run(server, options, pictures, expected)
    finally:
        code = server.stop()
    print(table([("hostile", "what came of it"), ("---", "---")]))
    for name in sorted({name for name, _ in figures}):
        outcomes = [f"{key}: {value:,}" for (n, key), value in figures.items() if n == name]
        print(table([(name, ", ".join(sorted(outcomes)))]))
    middle, late = np.percentile(seconds, [50, 95])
    hostile = sum(count for (_, outcome), count in figures.items() if outcome != LONGEST)
    print(f"\nright requests {len(seconds)}, wrong answers {len(wrong)}, hostile requests {hostile}", end=", ")
    print(f"median {middle:.2f} s, 95 % below {late:.2f} s")
    rounds = ", ".join(f"{m:.0f}" for m in memory[1:])
    print(f"memory in MiB: {memory[0]:.0f} at the start, after the rounds {rounds}")
    bad = faults(wrong, figures, kinds, memory, server.log, code)
    print("\n".join(bad) or f"no fault; {time.monotonic() - begin:.0f} s")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
