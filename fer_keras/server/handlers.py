"""From the bytes of an image to the JSON of the API. Nothing is kept.

The faces of a crowd are classified in several turns, so that other requests do not wait for all of them.
"""

import base64
import io

from fer_keras.core.errors import InputError
from fer_keras.recognition import drawing
from fer_keras.server.limits import CHUNK


async def picture(admission, request, fer, image):
    """Return the `schema.Picture` of an encoded image, as a dict.

    Args:
        admission: `Admission`.
        request: the one that is answered.
        fer: `FER`.
        image: `bytes`.

    Raises:
        InputError: as `FER.analyze`.
    """
    async with admission.opened(request, image, fer) as source:
        limits = admission.limits.decode
        size, found, faces = await admission.run(request, _first_faces, fer, source, limits)
    for start in range(CHUNK, len(found), CHUNK):
        faces += await admission.run(request, fer.classify, found[start : start + CHUNK])
    return size | {"faces": [face.as_dict() for face in faces]}


async def explanation(admission, request, fer, image, number, emotion):
    """Return the `schema.Explanation` of one face of an encoded image, as a dict.

    Args:
        admission, request, fer, image: as for `picture`.
        number: of the face, from 0 for the largest.
        emotion: name; None for the likeliest.

    Raises:
        InputError: as `FER.analyze`, or if there are fewer faces.
    """
    async with admission.opened(request, image, fer) as source:
        limits = admission.limits.decode
        return await admission.run(request, _explained, fer, source, limits, number, emotion)


def _first_faces(fer, source, limits):
    """Return {width, height}, all faces as `Found`, and the first of them classified."""
    rgb = fer.read(source, limits=limits)
    found = fer.find(rgb)
    return {"width": rgb.shape[1], "height": rgb.shape[0]}, found, fer.classify(found[:CHUNK])


def _explained(fer, source, limits, number, emotion):
    found = fer.find(fer.read(source, limits=limits))
    if number >= len(found):
        raise InputError(f"The image has no face {number}. Faces found: {len(found)}; the first has number 0.")
    (face,) = fer.classify([found[number]])
    (heat,) = fer.saliency([face], emotion)
    grey = face.crop.repeat(3, axis=2)
    seen, why = (_png(drawing.enlarged(pixels)) for pixels in (grey, drawing.tinted(grey, heat)))
    return face.as_dict() | {"heat": heat.round(5).tolist(), "seen": seen, "why": why}


def _png(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
