"""Opens an untrusted ONNX file and runs it once, in a process with limited time and memory.

python -m fer_keras.inference.try_onnx PATH < PATH
"""

import sys

import onnxruntime  # noqa: F401  its import does not count

from fer_keras.core import limited
from fer_keras.inference.engines import try_onnx

if __name__ == "__main__":
    limited.work(try_onnx, sys.stdin.buffer.read(), sys.argv[1])
