"""A hook of mkdocs: puts the help of each command into docs/commands.md, as `--help` prints it."""

import click

from fer_keras.cli import cli

PLACE = "<!-- commands -->"


def on_page_markdown(markdown, page, **_):
    return markdown.replace(PLACE, "\n".join(sections(cli, "fer-keras"))) if PLACE in markdown else None


def sections(command, name):
    """Yield a Markdown section for a command and, if it is a group, for each command in it."""
    context = click.Context(command, info_name=name, terminal_width=80, max_content_width=80)
    yield f"## {name}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for sub in sorted(command.commands):
            yield from sections(command.commands[sub], f"{name} {sub}")
