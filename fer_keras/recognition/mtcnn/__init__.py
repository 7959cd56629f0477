"""MTCNN, the default face detector, with its weights."""

from fer_keras.recognition.mtcnn.detector import Mtcnn

__all__ = ["Mtcnn"]
