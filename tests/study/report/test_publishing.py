"""The report in wandb: built without a login, and saved to a server of the test's own."""

import contextlib
import http.server
import json
import sys
import threading

import pytest
import wandb
from helpers.data_forms import tiny
from helpers.report_results import found

from fer_keras.core.errors import InputError
from fer_keras.study.report import publishing


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """Keep wandb away from the home directory, the user's account and the network."""
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "config"))


def blocks(report):
    return report._to_model().model_dump(by_alias=True, exclude_none=True)["spec"]["blocks"]


def test_blocks_of_a_report_built_without_a_login():
    pytest.importorskip("wandb_workspaces")
    report = publishing.build(found(), "fer-keras")
    parts = blocks(report)
    texts = [part["content"] for part in parts if part["type"] == "markdown-block"]
    assert texts[0].startswith("3 runs, 9 trainings")
    assert "| 2-1024-Layer-NN | 1 | 2,367,495 | 3 | 43.00 ± 2.00 " in texts[1]
    assert "| 1 | Three layers are worst. | **not judged yet** | holds |" in texts[3]
    assert len(texts) == 4
    headings = [part["children"][0]["text"] for part in parts if part["type"] == "heading"]
    assert headings[:5] == [
        "Leaderboard",
        "Beyond the study",
        "Findings",
        "Curves by step",
        "1: How deep should a fully connected network be?",
    ]
    # Step 2 has no results of its own, yet its findings compare with 3-1024-Layer-NN.
    assert [heading[:2] for heading in headings[5:]] == ["2:"]


def test_data_review_stands_first():
    pytest.importorskip("wandb_workspaces")
    parts = blocks(publishing.build(found(), "p", faces=tiny((14, 7, 7))))
    headings = [part["children"][0]["text"] for part in parts if part["type"] == "heading"]
    assert headings[:2] == ["Data", "Leaderboard"]
    lines = next(part["content"] for part in parts if part.get("content", "").startswith("| class |")).splitlines()
    assert lines[:3] == [
        "| class | Training images | PublicTest images | PrivateTest images |",
        "| --- | --: | --: | --: |",
        "| angry | 2 | 1 | 1 |",
    ]
    assert "- exact duplicates: " in "\n".join(lines[9:])


def test_charts_of_a_step_are_over_its_runs_with_the_seeds_as_one_line():
    pytest.importorskip("wandb_workspaces")
    grids = [part for part in blocks(publishing.build(found(), "p")) if part["type"] == "panel-grid"]
    (runs,) = grids[0]["metadata"]["runSets"]
    (chosen,) = runs["filters"]["filters"]
    assert chosen["key"] == {"section": "run", "name": "group"}
    assert (chosen["op"], chosen["value"]) == ("IN", ["1-Layer-NN", "2-1024-Layer-NN", "3-1024-Layer-NN"])
    assert runs["grouping"] == [{"section": "run", "name": "group"}]
    panels = grids[0]["metadata"]["panelBankSectionConfig"]["panels"]
    assert [panel["config"]["metrics"] for panel in panels] == [[key] for key in publishing.CHARTS]
    assert {panel["config"]["xAxis"] for panel in panels} == {"epoch"}
    assert [(panel["layout"]["x"], panel["layout"]["y"]) for panel in panels] == [
        *((0, 0), (8, 0), (16, 0)),
        *((0, 6), (8, 6), (16, 6)),
    ]


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb_workspaces.reports.v2", None)
    with pytest.raises(InputError, match=r"needs wandb-workspaces: .* Run `pip install 'fer-keras\[report\]'`"):
        publishing.publish(found(), "fer-keras")


def test_a_missing_login_is_named():
    pytest.importorskip("wandb_workspaces")
    with pytest.raises(InputError, match="Run `wandb login`"):
        publishing.publish(found(), "fer-keras")


class Server(http.server.BaseHTTPRequestHandler):
    """Answers what wandb asks on the way to a saved report."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = json.loads(body) if self.path == "/graphql" else {"query": ""}
        if "upsertView" in request["query"]:
            self.server.saved.append(request["variables"])
        answer = json.dumps({"data": _answer(request)}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments):
        pass


def _answer(request):
    query, values = request["query"], request.get("variables")
    if "upsertView" in query:
        view = {"id": "abc=", "type": "runs", "name": values["name"], "displayName": values["displayName"]}
        project = {"id": "1", "name": values["projectName"], "entityName": values["entityName"]}
        view |= {"description": "", "project": project, "spec": values["spec"]}
        return {"upsertView": {"view": view, "inserted": True}}
    if "models(" in query:
        return {"models": {"edges": [], "pageInfo": {"endCursor": None, "hasNextPage": False}}}
    if "upsertModel" in query:
        return {"result": {"inserted": True}}
    return {"viewer": {"id": "1", "username": "me", "entity": "team", "teams": {"edges": []}, "flags": "{}"}}


@contextlib.contextmanager
def serving():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        server.saved = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.slow
@pytest.mark.parametrize("project, entity", [("fer-keras", "team"), ("others/fer-keras", "others")])
def test_it_is_saved_in_the_project(monkeypatch, project, entity):
    pytest.importorskip("wandb_workspaces")
    wandb.teardown()  # settings that another test left, such as an offline mode
    with serving() as server:
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
        address = publishing.publish(found(), project)
    (saved,) = server.saved
    assert (saved["entityName"], saved["projectName"], saved["type"]) == (entity, "fer-keras", "runs")
    assert saved["displayName"] == publishing.TITLE
    assert "Three layers are worst" in saved["spec"]
    assert f"/{entity}/fer-keras/reports/" in address
