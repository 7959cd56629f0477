"""What test_parity.py compares, computed on the backend of this process.

python backend_figures.py begin FOLDER torch    write a model, begin the run in FOLDER/begun and end in epoch 2
python backend_figures.py go FOLDER NAME        go on with the run in FOLDER/NAME, write FOLDER/NAME.json
"""

import json
import pathlib
import sys

import keras
import numpy as np
from helpers.data_forms import tiny

from fer_keras import Experiment, models
from fer_keras.backend.gradients import batch_gradients
from fer_keras.data import split
from fer_keras.inference import prediction
from fer_keras.model_files import saving
from fer_keras.runs import pipeline, records
from fer_keras.training import fitting

# No dropout and no flip: their random numbers are each backend's own.
RUN = Experiment(
    name="carried",
    model="cnn",
    model_options={"filters": (4, 6), "units": (8,), "convolution_normalization": "batch", "l2": 1e-3},
    normalization=True,
    optimizer="sgd",
    optimizer_options={"momentum": 0.9},
    learning_rate=0.02,
    schedule="one_cycle",
    batch_size=16,
    epochs=3,
)
PARTS = split(tiny((42, 14, 14)))


def go(folder):
    fitting.OVERFIT_EPOCHS = 2
    pipeline.plots.draw = lambda record, folder: {}
    data, output = folder.parent / "faces.csv", folder
    return pipeline.run(RUN, data=data, output=output, tracking="disabled", precision="float32")


def begin(folder):
    model = models.build("cnn", {"filters": (4,), "units": (8,)}, [keras.layers.Rescaling(1 / 255)])
    fill(model)
    saving.save(saving.publish(model), folder / "torch.keras")
    append = records.append

    def interrupted(path, row):
        if path.name == records.HISTORY and row["epoch"] == 2:
            sys.exit()
        append(path, row)

    records.append = interrupted
    go(folder / "begun")


def fill(model):
    """Give `model` weights that are the same everywhere, neither zero nor one."""
    random = np.random.default_rng(0)
    for v in model.variables:
        if v.path.endswith(("gamma", "moving_variance")):
            v.assign(random.uniform(0.5, 1.5, v.shape))
        elif "seed_generator" not in v.path and "normalization" not in v.path.split("/")[0]:
            v.assign(random.standard_normal(v.shape) / max(np.prod(v.shape[:-1]), 25) ** 0.5)


def array(value):
    return np.asarray(keras.ops.convert_to_numpy(value), "float64")


def architecture(name):
    """Figures of one batch through the architecture's default."""
    images, labels = PARTS["train"].images[:8], PARTS["train"].labels[:8]
    experiment = Experiment(name="x", model=name, normalization=True, optimizer="sgd", learning_rate=0.01)
    model = fitting.build(experiment, PARTS["train"])
    fill(model)
    kernels = {v.path: v for v in model.trainable_variables if len(v.shape) > 1}
    before = {path: array(v) for path, v in kernels.items()}
    logits = array(model(images)).tolist()
    loss = float(model.evaluate(images, labels, verbose=0)[0])
    gradients = batch_gradients(model, images, labels)
    model.train_on_batch(images, labels)
    return {
        "logits": logits,
        "loss": loss,
        "gradient_norms": {path: float(np.linalg.norm(gradients[path])) for path in kernels},
        "ratios": model.optimizer.read_ratios(),
        "weight_norms": {path: float(np.linalg.norm(array(v))) for path, v in kernels.items()},
        "moved": [path for path, v in kernels.items() if (array(v) != before[path]).any()],
        "kernels": list(kernels),
    }


def figures(folder, name):
    torchs = saving.load(folder / "torch.keras")
    _, record = go(folder / name)
    return {
        "models": {model: architecture(model) for model in models.MODELS},
        "record": record,
        "probabilities": prediction.probabilities(torchs, PARTS["test"].images).tolist(),
    }


if __name__ == "__main__":
    job, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    if job == "begin":
        begin(folder)
    else:
        (folder / f"{sys.argv[3]}.json").write_text(json.dumps(figures(folder, sys.argv[3])))
