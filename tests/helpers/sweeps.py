"""What tests of a sweep share: sweep files, workers as processes, a PostgreSQL server."""

import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest
import yaml

# Stands for a training: val_acc in epoch e is e x learning_rate; a batch size of 13 fails.
FAKE = """
import json, os, pathlib, sys, time

words = dict(word.split("=", 1) for word in sys.argv[2:] if "=" in word)
folder = pathlib.Path(sys.argv[sys.argv.index("--output") + 1], words["name"], "20300101-000000")
folder.mkdir(parents=True, exist_ok=True)
(folder / "run.json").write_text("{}")
if words.get("batch_size") == "13":
    sys.exit("thirteen is too many")
(folder / "history.jsonl").write_text("")
for epoch in (1, 2, 3):
    row = {"epoch": epoch, "val_acc": epoch * float(words["learning_rate"])}
    with open(folder / "history.jsonl", "a") as file:
        file.write(json.dumps(row) + "\\n")
    time.sleep(float(os.environ.get("FAKE_SECONDS", 0)))
"""
GRID = {"learning_rate": {"values": [0.1, 0.3, 0.2]}, "batch_size": {"values": [8, 16]}}


POSTGRES = next(iter(sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))), None) or shutil.which(
    "initdb"
)


def config(**changes):
    return {
        "program": "tiny.py",
        "method": "grid",
        "metric": {"name": "val_acc", "goal": "maximize"},
        "parameters": GRID,
    } | changes


def write(**changes):
    pathlib.Path("search.yaml").write_text(yaml.safe_dump(config(**changes), sort_keys=False))
    return "search.yaml"


WORKER = """
import logging, sys
from fer_keras.sweep import search
logging.basicConfig(format="%(message)s", level="INFO")
search.COMMAND = [sys.executable, "fake.py"]
storage, heartbeat = sys.argv[1:]
search.run("search.yaml", data="faces.csv", storage=storage or None, heartbeat=int(heartbeat))
"""


def worker(storage="", heartbeat=15, *, host=(), folder="."):
    command = [*host, sys.executable, "-c", WORKER, storage, str(heartbeat)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder, preexec_fn=hear_ctrl_c)


def hear_ctrl_c():
    """A shell tells its background jobs to ignore SIGINT, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@contextlib.contextmanager
def server(host=(), address="127.0.0.1"):
    """A PostgreSQL server on a free port of `host`, as its own user where this one is root."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        as_user = [*host]
        if os.geteuid() == 0:  # which initdb refuses
            shutil.chown(folder, "postgres")
            as_user += ["runuser", "-u", "postgres", "--"]
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        call = {"check": True, "stdout": subprocess.DEVNULL, "cwd": "/"}
        programs = pathlib.Path(POSTGRES).parent
        options = f"-c listen_addresses={address} -c port={port} -c unix_socket_directories="
        control = [*as_user, str(programs / "pg_ctl"), "-D", f"{folder}/data"]
        initdb = [*as_user, str(programs / "initdb"), "-D", f"{folder}/data", "-A", "trust", "-U", "me"]
        subprocess.run(initdb, **call)
        with open(f"{folder}/data/pg_hba.conf", "a") as rules:
            rules.write(f"host all me {address}/24 trust\n")
        subprocess.run([*control, "-o", options, "-l", f"{folder}/log", "-w", "start"], **call)
        try:
            yield f"postgresql://me@{address}:{port}/postgres"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], **call)


def has_postgres():
    if POSTGRES is None:
        return False
    return os.geteuid() != 0 or "postgres" in {user.pw_name for user in pwd.getpwall()}


on_postgres = pytest.mark.skipif(not has_postgres(), reason="no PostgreSQL server: apt-get install postgresql")
