"""Values of arguments shared by Python and the command line, without heavy imports."""

from typing import Literal, get_args

Split = Literal["train", "validation", "test"]
EvaluatedSplit = Literal[Split, "all"]  # all: every labelled image
EVALUATED_SPLITS: tuple[EvaluatedSplit, ...] = get_args(EvaluatedSplit)

# Test-time augmentation: none; the image and its mirror image; ten crops (Krizhevsky et al. 2012).
Tta = Literal["none", "flip", "ten-crop"]
TTA: tuple[Tta, ...] = get_args(Tta)

# The range of pixel values that a network expects; standardized: mean 0 and standard deviation 1 over each image.
InputScale = Literal["0-1", "0-255", "-1-1", "standardized"]
INPUT_SCALES: tuple[InputScale, ...] = get_args(InputScale)

Engine = Literal["auto", "keras", "onnx"]
ENGINES: tuple[Engine, ...] = get_args(Engine)
