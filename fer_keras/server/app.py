"""The page, the JSON API, health and metrics, as one FastAPI application."""

import importlib.resources
import string
from collections.abc import Awaitable, Callable, Iterable
from html import escape
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException

from fer_keras import __version__
from fer_keras.core.errors import InputError
from fer_keras.data import EMOTIONS
from fer_keras.recognition.fer import FER
from fer_keras.server import documentation, handlers, multipart, peers, schema
from fer_keras.server.limits import Admission, Limits, Refused
from fer_keras.server.middleware import Metrics, RequestMiddleware, problem

TYPES = {"page.html": "text/html", "page.css": "text/css", "page.js": "text/javascript"}
ABOUT = "Finds the faces in images and classifies their expressions. Images are processed in memory, never stored."
BINARY = {"schema": {"type": "string", "format": "binary"}}
ONE_IMAGE = {"requestBody": {"required": True, "content": {"image/*": BINARY}}}
FORM = {"type": "object", "properties": {"images": {"type": "array", "items": BINARY["schema"]}}}
MANY_IMAGES = {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": FORM}}}}
REASONS: dict[int, str] = {
    408: "The body did not arrive in time.",
    411: "Content-Length is missing.",
    413: "The body or the batch is too large.",
    415: "Unexpected content type.",
    422: "The image cannot be decoded, is too large or too costly to decode, or has no such face.",
    429: "Too many requests at once. Try again after `Retry-After` seconds.",
}
ONE_EXAMPLE = "Send the bytes of one image as the body. For example: curl --data-binary @photo.jpg URL/api/predict"


def create_app(
    fer: FER, limits: Limits | None = None, *, host: str | None = None, proxies: peers.Networks = ()
) -> FastAPI:
    """Return the ASGI application.

    Args:
        fer: analyzes the images; its `max_pixels` limits their size.
        limits: default `Limits()`.
        host: host name or address of a server that listens on loopback only, else None, see `RequestMiddleware`.
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


def _add_problems(app: FastAPI) -> None:
    """Answer every error with a `schema.Problem`."""

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        return problem(error.status, str(error))

    @app.exception_handler(InputError)
    async def unreadable(request: Request, error: InputError) -> Response:
        return problem(422, str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        fault = error.errors()[0]
        return problem(422, f"{fault['loc'][-1]}: {fault['msg']}.")

    @app.exception_handler(HTTPException)
    async def other(request: Request, error: HTTPException) -> Response:
        return problem(error.status_code, error.detail, error.headers)


def _add_api(app: FastAPI, fer: FER) -> None:
    admission, metrics = app.state.admission, app.state.metrics
    problems: dict[int | str, dict[str, Any]] = {
        code: {"model": schema.Problem, "description": text} for code, text in REASONS.items()
    }

    @app.post(
        "/api/predict",
        response_model=schema.Picture,
        response_model_exclude_unset=True,
        responses=problems,
        openapi_extra=ONE_IMAGE,
    )
    async def predict(request: Request) -> dict[str, Any]:
        """Find the faces in one image, the body of the request, and classify their expressions."""
        _check_kind(request)
        async with admission.body(request) as image:
            answer = await handlers.picture(admission, request, fer, image)
            metrics.faces.inc(len(answer["faces"]))
            return answer

    malformed: dict[int | str, dict[str, Any]] = {
        400: {"model": schema.Problem, "description": "The multipart body is malformed."}
    }

    @app.post(
        "/api/batch",
        response_model=schema.Batch,
        response_model_exclude_unset=True,
        responses=problems | malformed,
        openapi_extra=MANY_IMAGES,
    )
    async def batch(request: Request) -> dict[str, Any]:
        """Do the same for several images. The result of an image that cannot be decoded is its error."""
        async with admission.body(request) as body:
            kind = request.headers.get("content-type", "")
            files = multipart.files(kind, body, admission.limits.images)
            results = [await one_of_many(request, name, image) for name, image in files]
            metrics.faces.inc(sum(len(result.get("faces", ())) for result in results))
            return {"results": results}

    async def one_of_many(request: Request, name: str, image: bytearray) -> dict[str, Any]:
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
    async def saliency(
        request: Request,
        face: Annotated[int, Query(ge=0, description="index, 0 for the largest face")] = 0,
        emotion: Annotated[str | None, Query(description="class to explain; default: the likeliest")] = None,
    ) -> dict[str, Any]:
        """Return the occlusion sensitivity of one face: how covering a place changes the probability."""
        _check_kind(request)
        async with admission.body(request) as image:
            return await handlers.explanation(admission, request, fer, image, face, emotion)


def _check_kind(request: Request) -> None:
    """Refuse bodies whose content type is not that of a single image.

    Raises:
        Refused: for multipart and JSON.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.startswith("multipart/"):
        raise Refused(415, f"{ONE_EXAMPLE}, without -F. /api/batch takes multipart/form-data.")
    if kind == "application/json" or kind.endswith("+json"):
        raise Refused(415, f"{ONE_EXAMPLE}. JSON and base64 are not accepted.")


def _add_pages(app: FastAPI, class_names: Iterable[str]) -> None:
    texts = {name: (importlib.resources.files(__package__) / name).read_text("utf-8") for name in TYPES}
    texts["page.html"] = string.Template(texts["page.html"]).substitute(class_names=escape(", ".join(class_names)))
    for name, kind in TYPES.items():
        path = "/" if name == "page.html" else f"/{name}"
        app.add_api_route(path, _constant(texts[name], kind), include_in_schema=False)

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        return HTMLResponse(documentation.page(app.openapi(), str(request.base_url)))

    @app.get("/healthz", response_model=schema.Health)
    async def health() -> dict[str, str]:
        """Return 200 while the server runs."""
        return {"status": "ok"}

    @app.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def prometheus() -> Response:
        """Return requests, seconds, faces and memory, for Prometheus."""
        return Response(generate_latest(app.state.metrics.registry), media_type=CONTENT_TYPE_LATEST)


def _constant(text: str, kind: str) -> Callable[[], Awaitable[Response]]:
    async def answer() -> Response:
        return Response(text, media_type=kind)

    return answer
