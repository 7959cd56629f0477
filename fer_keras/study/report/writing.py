"""The report of the study: tables, one page, and the figures in README, docs and the experiment files."""

import ast
import pathlib
import re
import textwrap
from collections.abc import Mapping

from fer_keras.core.errors import InputError
from fer_keras.core.files import StrPath, write_text
from fer_keras.data import Faces
from fer_keras.study import results
from fer_keras.study.report import page
from fer_keras.study.report.tables import (
    about,
    associations,
    beyond,
    findings,
    frame,
    headlines,
    leaderboard,
    machine,
    pilot_leaderboard,
    rows,
    spread,
)
from fer_keras.study.results import Result, Results

README_TABLES = {"headlines": headlines}  # section: function of the results
LEADERBOARD_TABLES = {  # of docs/leaderboard.md
    "measured": about,
    "leaderboard": leaderboard,
    "beyond": beyond,
    "findings": findings,
    "associations": associations,
}
STUDY_TABLES = {"pilot": pilot_leaderboard}  # of docs/study.md
PAGES = {"README.md": README_TABLES, "docs/leaderboard.md": LEADERBOARD_TABLES, "docs/study.md": STUDY_TABLES}


def write(folder: StrPath, output: StrPath, faces: Faces | None = None) -> list[pathlib.Path]:
    """Write report.html, report.md and report.csv of the results in `folder` to `output`; return their paths.

    Args:
        folder: of the results.
        output: folder, created if it does not exist.
        faces: `fer_keras.data.Faces` of the results, so that the page can show the most confused ones.

    Raises:
        InputError: if there are no results, or they are of other faces.
    """
    found = read(folder)
    contents = {
        "report.html": page.html(found, faces),
        "report.md": markdown(found),
        "report.csv": frame(found).to_csv(index=False),
    }
    for name, content in contents.items():
        write_text(pathlib.Path(output, name), content)
    return [pathlib.Path(output, name) for name in contents]


def read(folder: StrPath) -> Results:
    """Return `results.read(folder)`.

    Raises:
        InputError: also if there are none.
    """
    found = results.read(folder)
    if not found:
        raise InputError(f"No results in {str(folder)!r}. Run `fer-keras study` first, or name their folder.")
    return found


def markdown(found: Results) -> str:
    """Return the whole report as Markdown: data and machine, leaderboard, findings."""
    parts = (
        "# The study, re-run and judged",
        *(table(found) for table in (LEADERBOARD_TABLES | STUDY_TABLES).values()),
    )
    return "\n\n".join(parts) + "\n"


def result_line(group: list[Result]) -> str:
    """Return the `Result` paragraph of an experiment file's docstring, from its results."""
    (row,) = rows({"": group})
    figures = {key: spread(row["figures"][key]) for key in ("test_acc", "val_acc", "gap")}
    count, kind = len(group), " of the pilot" if results.pilot({"": group}) else ""
    text = (
        f"test accuracy {figures['test_acc']} %, validation {figures['val_acc']} %, gap {figures['gap']} points "
        f"({count} seed{'s' if count != 1 else ''}{kind}); {row['minutes']:.1f} minutes on "
        f"{machine(group[0]['environment'])}."
    )
    return textwrap.fill(f"Result    {text}", 110, subsequent_indent=" " * 10, break_on_hyphens=False)


def write_result_lines(folder: StrPath, found: Results) -> None:
    """Write the `Result` of each run to its experiment file in `folder`, replacing an older one."""
    for stem, group in results.latest(found).items():
        file = pathlib.Path(folder, f"{stem}.py")
        text = file.read_text(encoding="utf-8")
        docstring = ast.get_docstring(ast.parse(text), clean=False)
        if docstring is None:
            raise InputError(f"{file} has no docstring, which holds the result. Add one that states the question.")
        kept = re.split(r"^Result ", docstring, maxsplit=1, flags=re.MULTILINE)[0].rstrip()
        write_text(file, text.replace(docstring, f"{kept}\n{result_line(group)}\n", 1))


def write_sections(file: StrPath, texts: Mapping[str, str]) -> None:
    """Put each text of `texts` between the lines `<!-- name -->` and `<!-- end of name -->` of a Markdown file.

    Args:
        file: written once, with all sections.
        texts: {name: text}.

    Raises:
        InputError: if the file lacks such lines. It is not changed then.
    """
    content = pathlib.Path(file).read_text(encoding="utf-8")
    for name, text in texts.items():
        start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
        before, found_start, rest = content.partition(start)
        _, found_end, after = rest.partition(end)
        if not (found_start and found_end):
            raise InputError(
                f"{file} has no lines {start.strip()!r} and {end.strip()!r}. Add them where the text belongs."
            )
        content = f"{before}{start}\n{text}\n\n{end}{after}"
    write_text(file, content)


def update(folder: StrPath, root: StrPath = ".") -> None:
    """Update what is generated from the results in `folder`: `Result` lines of experiments, sections of `PAGES`.

    Args:
        folder: of the results.
        root: of the repository.

    Raises:
        InputError: if there are no results, or a file lacks the lines that mark its sections.
    """
    found = read(folder)
    write_result_lines(pathlib.Path(root, "experiments"), found)
    for file, tables in PAGES.items():
        write_sections(pathlib.Path(root, file), {name: table(found) for name, table in tables.items()})
