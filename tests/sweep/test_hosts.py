"""A sweep on two hosts with names and addresses of their own, and one PostgreSQL."""

import json
import shutil

import pytest
from helpers.hosts import ADDRESSES, two_hosts
from helpers.sweeps import on_postgres, server, wait_for, worker, write
from optuna.exceptions import ExperimentalWarning

from fer_keras.runs import records

pytestmark = [
    pytest.mark.slow,
    pytest.mark.postgres,
    pytest.mark.filterwarnings(f"ignore::{ExperimentalWarning.__module__}.{ExperimentalWarning.__name__}"),
]


@on_postgres
def test_two_hosts_share_a_sweep_and_the_trial_of_a_dead_one(place, monkeypatch, tmp_path_factory):
    pytest.importorskip("psycopg")
    monkeypatch.setenv("FAKE_SECONDS", "0.5")
    write()
    folders = [tmp_path_factory.mktemp("hosts") / name for name in "ab"]
    for folder in folders:
        shutil.copytree(place, folder)
    with two_hosts() as hosts, server(hosts[0], ADDRESSES[0]) as storage:
        workers = [
            worker(storage, heartbeat=3, host=host, folder=folder)
            for host, folder in zip(hosts, folders, strict=True)
        ]
        wait_for(lambda: all(list(folder.glob("runs/**/history.jsonl")) for folder in folders))
        workers[0].kill()
        workers[0].communicate()
        errors = workers[1].communicate(timeout=300)[1]
        assert workers[1].returncode == 0, errors
    (result,) = (json.loads(path.read_text()) for path in folders[1].glob("sweeps/*/sweep.json"))
    assert [row["state"] for row in result["trials"]] == ["complete"] * 6
    assert len({json.dumps(row["settings"]) for row in result["trials"]}) == 6
    # The dead host had begun one trial at least, and the other began that again beside its own.
    finished = [path for path in folders[1].glob("runs/**/history.jsonl") if len(records.rows(path)) == 3]
    assert 1 <= len(finished) <= 6
