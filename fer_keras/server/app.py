"""The page, the JSON API, health and metrics, as one FastAPI application."""

import importlib.resources
import string
from html import escape
from typing import Annotated

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException

from fer_keras import __version__
from fer_keras.core.errors import InputError
from fer_keras.data import EMOTIONS
from fer_keras.server import documentation, handlers, multipart, schema
from fer_keras.server.limits import Admission, Limits, Refused
from fer_keras.server.middleware import Metrics, RequestMiddleware, problem

TYPES = {"page.html": "text/html", "page.css": "text/css", "page.js": "text/javascript"}
ABOUT = "Finds the faces in images and names their expressions. Images are answered from memory, never stored."
BINARY = {"schema": {"type": "string", "format": "binary"}}
ONE_IMAGE = {"requestBody": {"required": True, "content": {"image/*": BINARY}}}
FORM = {"type": "object", "properties": {"images": {"type": "array", "items": BINARY["schema"]}}}
MANY_IMAGES = {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": FORM}}}}
REASONS = {
    408: "The body did not arrive in time.",
    411: "Content-Length is missing.",
    413: "The body or the batch is too large.",
    415: "The body is of another kind than expected.",
    422: "The image cannot be read, is too large or too costly to decode, or has no such face.",
    429: "Too many requests at once; try again after `Retry-After` seconds.",
}
ONE_EXAMPLE = "Send the bytes of one image as the body. For example: curl --data-binary @photo.jpg URL/api/predict"


def create_app(fer, limits=None, *, host=None, proxies=()):
    """Return the ASGI application.

    Args:
        fer: `FER`; its `max_pixels` limits the images.
        limits: `Limits`.
        host: name or address that a server for this computer alone listens on, see `RequestMiddleware`.
        proxies: networks of the trusted proxies, see `peers.networks`.
    """
    limits = limits or Limits()
    app = FastAPI(title="fer-keras", version=__version__, description=ABOUT, docs_url=None, redoc_url=None)
    app.state.admission = Admission(limits)
    app.state.metrics = Metrics(app.state.admission)
    app.add_middleware(
        RequestMiddleware, metrics=app.state.metrics, connections=limits.connections, host=host, proxies=proxies
    )
    _add_problems(app)
    _add_api(app, fer)
    _add_pages(app, getattr(fer, "class_names", EMOTIONS))
    return app


def _add_problems(app):
    """Answer every error as `schema.Problem`."""

    @app.exception_handler(Refused)
    async def refused(request, error):
        return problem(error.status, str(error))

    @app.exception_handler(InputError)
    async def unreadable(request, error):
        return problem(422, str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request, error):
        fault = error.errors()[0]
        return problem(422, f"{fault['loc'][-1]}: {fault['msg']}.")

    @app.exception_handler(HTTPException)
    async def other(request, error):
        return problem(error.status_code, error.detail, error.headers)


def _add_api(app, fer):
    admission, metrics = app.state.admission, app.state.metrics
    problems = {code: {"model": schema.Problem, "description": text} for code, text in REASONS.items()}

    @app.post(
        "/api/predict",
        response_model=schema.Picture,
        response_model_exclude_unset=True,
        responses=problems,
        openapi_extra=ONE_IMAGE,
    )
    async def predict(request: Request):
        """Find the faces of one image, the body of the request, and name their expressions."""
        _check_kind(request)
        async with admission.body(request) as image:
            answer = await handlers.picture(admission, request, fer, image)
            metrics.faces.inc(len(answer["faces"]))
            return answer

    malformed = {400: {"model": schema.Problem, "description": "The multipart body is malformed."}}

    @app.post(
        "/api/batch",
        response_model=schema.Batch,
        response_model_exclude_unset=True,
        responses=problems | malformed,
        openapi_extra=MANY_IMAGES,
    )
    async def batch(request: Request):
        """Do the same for several images. An image that cannot be read has its error in its place."""
        async with admission.body(request) as body:
            kind = request.headers.get("content-type", "")
            files = multipart.files(kind, body, admission.limits.images)
            results = [await one_of_many(request, name, image) for name, image in files]
            metrics.faces.inc(sum(len(result.get("faces", ())) for result in results))
            return {"results": results}

    async def one_of_many(request, name, image):
        try:
            return {"name": name} | await handlers.picture(admission, request, fer, image)
        except InputError as error:
            return {"name": name, "error": str(error)}

    @app.post(
        "/api/explain",
        response_model=schema.Explanation,
        response_model_exclude_unset=True,
        responses=problems,
        openapi_extra=ONE_IMAGE,
    )
    async def explain(
        request: Request,
        face: Annotated[int, Query(ge=0, description="from 0, the largest")] = 0,
        emotion: Annotated[str | None, Query(description="the face's likeliest class by default")] = None,
    ):
        """Show which parts of one face decided (occlusion sensitivity): what covering each place costs."""
        _check_kind(request)
        async with admission.body(request) as image:
            return await handlers.explanation(admission, request, fer, image, face, emotion)


def _check_kind(request):
    """Refuse bodies that hold an image in another form."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.startswith("multipart/"):
        raise Refused(415, f"{ONE_EXAMPLE}, without -F. /api/batch takes multipart/form-data.")
    if kind == "application/json" or kind.endswith("+json"):
        raise Refused(415, f"{ONE_EXAMPLE}. JSON and base64 are not read.")


def _add_pages(app, class_names):
    texts = {name: (importlib.resources.files(__package__) / name).read_text("utf-8") for name in TYPES}
    texts["page.html"] = string.Template(texts["page.html"]).substitute(class_names=escape(", ".join(class_names)))
    for name, kind in TYPES.items():
        path = "/" if name == "page.html" else f"/{name}"
        app.add_api_route(path, _constant(texts[name], kind), include_in_schema=False)

    @app.get("/docs", include_in_schema=False)
    async def docs():
        return HTMLResponse(documentation.page(app.openapi()))

    @app.get("/healthz", response_model=schema.Health)
    async def health():
        """Answer while the server runs."""
        return {"status": "ok"}

    @app.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics():
        """Requests, seconds, faces and memory, for Prometheus."""
        return Response(generate_latest(app.state.metrics.registry), media_type=CONTENT_TYPE_LATEST)


def _constant(text, kind):
    async def answer():
        return Response(text, media_type=kind)

    return answer
