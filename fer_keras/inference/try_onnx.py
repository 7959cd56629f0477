"""Opens a stranger's ONNX file and runs it once, to find out in a limited process what that takes.

python -m fer_keras.inference.try_onnx PATH < PATH
"""

import sys

import onnxruntime  # noqa: F401  its import is no part of the work

from fer_keras.core import limited
from fer_keras.inference.engines import try_onnx

if __name__ == "__main__":
    limited.work(try_onnx, sys.stdin.buffer.read(), sys.argv[1])
