"""The page and the JSON API of `fer-keras serve`. Images are processed in memory and never stored."""

from fer_keras.server.app import create_app
from fer_keras.server.limits import MAX_PIXELS, Limits
from fer_keras.server.running import serve

__all__ = ["MAX_PIXELS", "Limits", "create_app", "serve"]
