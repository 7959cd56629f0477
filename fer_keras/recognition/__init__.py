"""From a photograph or a video to faces and their expressions. Only a Keras model loads Keras."""

from fer_keras.recognition.faces import Face, Frame
from fer_keras.recognition.fer import FER
from fer_keras.recognition.tables import table

__all__ = ["FER", "Face", "Frame", "table"]
