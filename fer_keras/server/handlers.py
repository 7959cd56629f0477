"""From an encoded image to the JSON of the API. Images are not stored.

The faces of a crowd are found and classified in turns with other requests.
"""

import base64
import functools
import io
from collections.abc import Sequence
from typing import Any

from PIL import Image
from starlette.requests import Request

from fer_keras.core.errors import InputError
from fer_keras.recognition import decoding, drawing, photos
from fer_keras.recognition.faces import Face
from fer_keras.recognition.fer import FER, Found
from fer_keras.recognition.steps import Steps
from fer_keras.server.limits import CHUNK, Admission


async def picture(admission: Admission, request: Request, fer: FER, image: bytearray) -> dict[str, Any]:
    """Return the `schema.Picture` of an encoded image, as a dict.

    Args:
        admission: enforces the limits.
        request: the request that is answered.
        fer: analyzes the image.
        image: JPEG, PNG, …

    Raises:
        InputError: as `FER.analyze`.
    """
    async with admission.opened(request, image, fer) as source:
        begin = functools.partial(_first_faces, fer, source, admission.limits.decode)
        size, found, faces = await admission.search(request, begin)
    for start in range(CHUNK, len(found), CHUNK):
        faces += await admission.run(request, fer.classify, found[start : start + CHUNK])
    return size | {"faces": [face.as_dict() for face in faces]}


async def explanation(
    admission: Admission, request: Request, fer: FER, image: bytearray, number: int, emotion: str | None
) -> dict[str, Any]:
    """Return the `schema.Explanation` of one face of an encoded image, as a dict.

    Args:
        admission, request, fer, image: as for `picture`.
        number: index of the face, 0 for the largest.
        emotion: class name; None for the likeliest.

    Raises:
        InputError: as `FER.analyze`, or if the image has no such face.
    """
    async with admission.opened(request, image, fer) as source:
        begin = functools.partial(_saliency, fer, source, admission.limits.decode, number, emotion)
        return await admission.search(request, begin)


def _first_faces(
    fer: FER, source: photos.Photo, limits: decoding.Limits
) -> Steps[tuple[dict[str, int], Sequence[Found], list[Face]]]:
    """Return {width, height}, all faces found, and the first `CHUNK` of them classified."""
    rgb = fer.read(source, limits=limits)
    found = yield from fer.find_in_steps(rgb)
    return {"width": rgb.shape[1], "height": rgb.shape[0]}, found, fer.classify(found[:CHUNK])


def _saliency(
    fer: FER, source: photos.Photo, limits: decoding.Limits, number: int, emotion: str | None
) -> Steps[dict[str, Any]]:
    found = yield from fer.find_in_steps(fer.read(source, limits=limits))
    if number >= len(found):
        raise InputError(f"The image has no face {number}. Faces found: {len(found)}; the first has number 0.")
    (face,) = fer.classify([found[number]])
    (heat,) = fer.saliency([face], emotion)
    grey = face.crop.repeat(3, axis=2)
    seen, why = (_png(drawing.enlarged(pixels)) for pixels in (grey, drawing.tinted(grey, heat)))
    return face.as_dict() | {"heat": heat.round(5).tolist(), "seen": seen, "why": why}


def _png(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
