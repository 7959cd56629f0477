"""From the bytes of an image to what the API tells of it. Called in threads; nothing is kept."""

import base64
import io

from fer_keras.core.errors import InputError
from fer_keras.recognition import drawing, photos


def find(fer, image):
    """Return {width, height} of the encoded image and its faces as `Found`, not yet classified.

    Raises:
        InputError: as `FER.analyze`.
    """
    rgb = photos.read(image, max_pixels=fer.max_pixels)
    return {"width": rgb.shape[1], "height": rgb.shape[0]}, fer.find(rgb)


def picture(fer, image):
    """Return the `schema.Picture` of the encoded image, as a dict."""
    size, found = find(fer, image)
    return size | {"faces": [face.as_dict() for face in fer.classify(found)]}


def explanation(fer, image, number, emotion):
    """Return the `schema.Explanation` of one face of the encoded image, as a dict.

    Args:
        fer: `FER`.
        image: `bytes`.
        number: of the face, from 0 for the largest.
        emotion: name; None for the likeliest.

    Raises:
        InputError: as `FER.analyze`, or if there are not so many faces.
    """
    _, found = find(fer, image)
    if number >= len(found):
        raise InputError(f"The image has no face {number}. Faces found: {len(found)}; the first has number 0.")
    (face,) = fer.classify(found[number : number + 1])
    (heat,) = fer.explain([face], emotion)
    grey = face.crop.repeat(3, axis=2)
    seen, why = (png(drawing.enlarged(pixels)) for pixels in (grey, drawing.tinted(grey, heat)))
    return face.as_dict() | {"heat": heat.round(5).tolist(), "seen": seen, "why": why}


def png(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
