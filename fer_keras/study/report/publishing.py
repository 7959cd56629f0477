"""The report as a wandb Report."""

from typing import Any

from fer_keras import study
from fer_keras.core.errors import InputError, one_line
from fer_keras.data import EMOTIONS, Faces
from fer_keras.study.report import page
from fer_keras.study.report.tables import about, beyond, findings, leaderboard, shown
from fer_keras.study.results import Results

TITLE = "The study, re-run and judged"
CHARTS = {
    "val_acc": "Validation accuracy",
    "train_acc": "Training accuracy",
    "val_loss": "Validation loss, nats",
    "train_loss": "Training loss, nats",
    "grad_ratio": "Gradient-to-weight ratio, %",
    "weight_norm": "L2 norm of the weights",
}
COLUMNS = 3
WIDTH, HEIGHT = 8, 6  # of a chart, in cells of wandb's grid, which is 24 wide


def publish(found: Results, project: str, faces: Faces | None = None) -> str:
    """Save the results as a new report in wandb and return its address.

    Args:
        found: from `fer_keras.study.results.read`.
        project: "PROJECT" of your default team, or "ENTITY/PROJECT"; created if it does not exist.
        faces: data of the results, for the data review; None leaves it out.

    Raises:
        InputError: if wandb-workspaces or a login is missing, or wandb refuses.
    """
    _workspaces()  # before the login, so that a missing package is reported first
    import wandb

    entity, _, project = project.rpartition("/")
    try:
        if not wandb.login(prompt=False, verify=False):
            raise InputError("A wandb Report needs a login. Run `wandb login`, or set WANDB_API_KEY.")
        return build(found, project, entity or wandb.Api().default_entity or "", faces).save().url
    except wandb.Error as error:
        raise InputError(f"wandb did not take the report: {one_line(error)}") from error


def build(found: Results, project: str, entity: str = "", faces: Faces | None = None) -> Any:
    """Return the report as a `wandb_workspaces.reports.v2.Report`, not saved; this needs no login.

    It contains the review of `faces`, leaderboard and findings as Markdown, and for each step with results a grid
    of charts of the project's runs in that step. The seeds of a run are one line with its spread.

    Raises:
        InputError: if wandb-workspaces is not installed.
    """
    wr = _workspaces()
    ran = {group[0]["experiment"]["name"] for group in found.values()}
    blocks = [wr.MarkdownBlock(text=about(found)), wr.TableOfContents()]
    if faces is not None:
        blocks += [wr.H1(text="Data"), wr.MarkdownBlock(text=_review(page.review(faces)))]
    blocks += [wr.H1(text="Leaderboard"), wr.MarkdownBlock(text=leaderboard(found))]
    blocks += [wr.H1(text="Beyond the study"), wr.MarkdownBlock(text=beyond(found))]
    blocks += [wr.H1(text="Findings"), wr.MarkdownBlock(text=findings(found)), wr.H1(text="Curves by step")]
    for step in study.STEPS:
        names = [name for name in shown(step) if name in ran]
        if names:
            blocks += [wr.H2(text=f"{step.number}: {step.question}"), _charts(wr, names)]
    return wr.Report(project=project, entity=entity, title=TITLE, width="fluid", blocks=blocks)


def _review(review: dict[str, Any]) -> str:
    counts, agreement = review["counts"], review["agreement"]
    heads = ["class", *(f"{usage} images" for usage in counts), *(["label is FER+'s choice"] if agreement else [])]
    rows = [heads, ["---", *["--:"] * (len(heads) - 1)]]
    for name in EMOTIONS:
        rows.append([name, *(f"{usage.get(name, 0):,}" for usage in counts.values())])
        rows[-1] += [f"{agreement.get(name, 0):.0%}"] if agreement else []
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return table + "\n\n" + "\n".join(f"- {line}" for line in review["lines"])


def _workspaces() -> Any:
    try:
        import wandb_workspaces.reports.v2 as reports
    except ModuleNotFoundError as error:
        raise InputError(
            f"A wandb Report needs wandb-workspaces: {error}. Run `pip install 'fer-keras[report]'`."
        ) from None
    return reports


def _charts(wr: Any, names: list[str]) -> Any:
    # Training puts the runs of all seeds into a wandb group named like the experiment.
    runs = wr.Runset(name="Runs of this step", filters=f"Group in {names}", groupby=["group"])
    panels = [
        wr.LinePlot(
            title=title,
            x="epoch",
            y=[key],
            log_y=key == "grad_ratio",
            groupby_aggfunc="mean",
            groupby_rangefunc="minmax",
            layout=wr.Layout(x=i % COLUMNS * WIDTH, y=i // COLUMNS * HEIGHT, w=WIDTH, h=HEIGHT),
        )
        for i, (key, title) in enumerate(CHARTS.items())
    ]
    return wr.PanelGrid(runsets=[runs], panels=panels)
