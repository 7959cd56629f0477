import json
import os
import re
import subprocess

from fer_keras.backend import machine


def test_environment_tells_versions_and_no_names_of_machine_or_user(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    environment = machine.environment()
    assert environment["backend"] in ("torch", "jax", "tensorflow")
    assert environment["cores"] >= 1
    assert environment["commit"] is None
    assert json.loads(json.dumps(environment)) == environment
    assert os.uname().nodename not in json.dumps(environment)
    assert {"fer_keras", "python", "keras", "backend_version", "numpy", "device", "threads", "precision"} <= set(
        environment
    )


def test_commit_says_whether_files_differ(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("one")
    git = ["git", "-c", "user.name=n", "-c", "user.email=e@example.org"]
    for command in (["init", "-q"], ["add", "file"], ["commit", "-q", "-m", "first"], ["tag", "v1"]):
        subprocess.run([*git, *command], check=True)
    commit = machine._commit()
    assert re.fullmatch("[0-9a-f]{40}", commit)
    (tmp_path / "file").write_text("other")
    assert machine._commit() == commit + "+dirty"
