"""The API's documentation as a page without scripts: FastAPI's own pages load scripts from a CDN."""

from collections.abc import Iterable
from html import escape
from typing import Any

HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<link rel="stylesheet" href="page.css">
<title>API of fer-keras</title>
</head>
<body>
<main class="text">
"""
EXAMPLES = """<h2>Examples</h2>
<pre tabindex="0">curl --data-binary @portrait.jpg {url}api/predict
curl -F images=@a.jpg -F images=@b.jpg {url}api/batch
curl --data-binary @portrait.jpg '{url}api/explain?face=0&amp;emotion=happy'</pre>
"""


def page(schema: dict[str, Any], url: str) -> str:
    """Return the HTML of an OpenAPI `schema` of FastAPI, with examples for the server at `url` (ends in /)."""
    endpoints = [
        endpoint(method.upper(), path, described)
        for path, methods in schema["paths"].items()
        for method, described in methods.items()
    ]
    models = [
        model(name, described)
        for name, described in schema["components"]["schemas"].items()
        if "properties" in described
    ]
    intro = f"<h1>API of fer-keras</h1>\n<p>{escape(schema['info']['description'])}</p>\n"
    links = '<p><a href="./">Upload page</a> · <a href="openapi.json">OpenAPI schema</a></p>\n'
    objects = ["<h2>Objects</h2>\n", *models]
    return "".join(
        [HEAD, intro, links, EXAMPLES.format(url=escape(url)), *endpoints, *objects, "</main>\n</body>\n</html>\n"]
    )


def endpoint(method: str, path: str, described: dict[str, Any]) -> str:
    text = escape(described.get("description", described.get("summary", "")))
    rows = [(f"?{p['name']}=", p.get("description", "")) for p in described.get("parameters", [])]
    rows += [("body", kind) for kind in described.get("requestBody", {}).get("content", {})]
    rows += [(code, answer(response)) for code, response in described["responses"].items()]
    return f"<h2><code>{method} {escape(path)}</code></h2>\n<p>{text}</p>\n{table(rows)}"


def answer(response: dict[str, Any]) -> str:
    """Return the description of a response, after the name of the object that it holds."""
    contents = response.get("content", {}).values()
    names = [c["schema"]["$ref"].rpartition("/")[2] for c in contents if "$ref" in c.get("schema", {})]
    return ": ".join([*names, response["description"]])


def model(name: str, described: dict[str, Any]) -> str:
    rows = [
        (key, f"{kind(value)}. {value.get('description', '')}") for key, value in described["properties"].items()
    ]
    return f"<h3><code>{escape(name)}</code></h3>\n{table(rows)}"


def kind(value: dict[str, Any]) -> str:
    if "$ref" in value:
        return value["$ref"].rpartition("/")[2]
    if "anyOf" in value:
        return " or ".join(map(kind, value["anyOf"]))
    if value.get("type") == "array" and "items" in value:
        return f"array of {kind(value['items'])}"
    return value.get("type", "object")


def table(rows: Iterable[tuple[str, str]]) -> str:
    lines = [f'<tr><th scope="row"><code>{escape(a)}</code></th><td>{escape(b)}</td></tr>\n' for a, b in rows]
    return f"<table>\n{''.join(lines)}</table>\n"
