"""README and the pages of docs/ as a test sees them: code blocks, commands, links."""

import pathlib
import re
import shlex

import click

from fer_keras.cli import cli

ROOT = pathlib.Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")])


def read(page):
    return (ROOT / page).read_text(encoding="utf-8")


def commands(text):
    """Return the `fer-keras` commands of a page, without pipes, redirections and comments."""
    spans = re.findall(r"`(fer-keras [^`\n]+)`", text)
    blocks = "\n".join(re.findall(r"^```(?:bash|console|text)\n(.*?)^```", text, re.M | re.S))
    blocks += "\n".join(re.findall(r"^    (.*)$", text, re.M))
    lines = re.findall(r"^(?:\$ )?(fer-keras [^\n]+)", blocks, re.M)
    return sorted({re.split(r" [|>&#] ?|  +#", line)[0].strip() for line in spans + lines})


def parse(line):
    """Parse a command as the command line does, without running it."""
    group, words = cli, shlex.split(line)[1:]
    while words and words[0].startswith("--"):  # options of fer-keras itself
        words.pop(0)
    while isinstance(group, click.Group) and words:
        command = group.commands[words.pop(0)]
        if not isinstance(command, click.Group):
            command.make_parser(click.Context(command)).parse_args(words)
        group = command


def links(text):
    """Return the targets of Markdown links and images that are no addresses of the web."""
    targets = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    return [target for target in targets if not re.match(r"[a-z]+:", target)]
