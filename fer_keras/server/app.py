"""The page, the JSON API and what operators read, as one FastAPI application."""

import importlib.resources
from typing import Annotated

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException

from fer_keras import __version__
from fer_keras.core.errors import InputError
from fer_keras.server import documentation, handlers, multipart, schema
from fer_keras.server.limits import Admission, Limits, Refused
from fer_keras.server.middleware import Guard, Metrics, problem

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
    422: "No image that can be read, too many pixels, or no such face.",
    429: "Too many requests at once; try again after `Retry-After` seconds.",
}


def create_app(fer, limits=None, *, hosts=None):
    """Return the ASGI application.

    Args:
        fer: `FER`; its `max_pixels` limits the images.
        limits: `Limits`.
        hosts: set of names in `Host` that are answered; None for all.
    """
    app = FastAPI(title="fer-keras", version=__version__, description=ABOUT, docs_url=None, redoc_url=None)
    admission = Admission(limits or Limits())
    metrics = Metrics(admission)
    app.add_middleware(Guard, metrics=metrics, hosts=hosts)
    add_problems(app)
    add_api(app, fer, admission, metrics)
    add_pages(app, metrics)
    return app


def add_problems(app):
    """Answer every error as `schema.Problem`."""

    @app.exception_handler(Refused)
    async def refused(request, error):
        return problem(error.status, str(error))

    @app.exception_handler(InputError)
    async def unreadable(request, error):
        return problem(422, str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request, error):
        return problem(422, first(error))

    @app.exception_handler(HTTPException)
    async def other(request, error):
        return problem(error.status_code, error.detail, error.headers)


def first(error):
    fault = error.errors()[0]
    return f"{fault['loc'][-1]}: {fault['msg']}."


def add_api(app, fer, admission, metrics):
    told = {code: {"model": schema.Problem, "description": text} for code, text in REASONS.items()}

    @app.post("/api/predict", response_model=schema.Picture, responses=told, openapi_extra=ONE_IMAGE)
    async def predict(request: Request):
        """Find and name the faces of one image, the body of the request."""
        async with admission.body(request) as image:
            answer = await admission.run(request, handlers.picture, fer, image)
            metrics.faces.inc(len(answer["faces"]))
            return answer

    form = {400: {"model": schema.Problem}, 415: {"model": schema.Problem}}

    @app.post("/api/batch", response_model=schema.Batch, responses=told | form, openapi_extra=MANY_IMAGES)
    async def batch(request: Request):
        """The same for several images. In the place of one that cannot be read stands its error."""
        async with admission.body(request) as body:
            kind = request.headers.get("content-type", "")
            files = multipart.files(kind, body, admission.limits.images)
            # One turn for each image, so that a large batch does not keep the others waiting.
            results = [await one_of_many(request, name, image) for name, image in files]
            metrics.faces.inc(sum(len(result.get("faces", ())) for result in results))
            return {"results": results}

    async def one_of_many(request, name, image):
        try:
            return {"name": name} | await admission.run(request, handlers.picture, fer, image)
        except InputError as error:
            return {"name": name, "error": str(error)}

    @app.post("/api/explain", response_model=schema.Explanation, responses=told, openapi_extra=ONE_IMAGE)
    async def explain(
        request: Request,
        face: Annotated[int, Query(ge=0, description="from 0, the largest")] = 0,
        emotion: Annotated[schema.Emotion | None, Query(description="the face's likeliest if not given")] = None,
    ):
        """Tell which parts of one face of the image decided: what covering each place costs the answer."""
        async with admission.body(request) as image:
            return await admission.run(request, handlers.explanation, fer, image, face, emotion and emotion.value)


def add_pages(app, metrics):
    texts = {name: (importlib.resources.files(__package__) / name).read_text("utf-8") for name in TYPES}
    for name, kind in TYPES.items():
        path = "/" if name == "page.html" else f"/{name}"
        app.add_api_route(path, still(texts[name], kind), include_in_schema=False)

    @app.get("/docs", include_in_schema=False)
    async def docs():
        return HTMLResponse(documentation.page(app.openapi()))

    @app.get("/healthz", response_model=schema.Health)
    async def health():
        """Answer while the server runs."""
        return {"status": "ok"}

    @app.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def figures():
        """Requests, seconds, faces and memory, for Prometheus."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)


def still(text, kind):
    async def answer():
        return Response(text, media_type=kind)

    return answer
