"""Images per second from uint8 pixels to probabilities, of one network with the same weights, served in four ways.

    python benchmarks/inference.py                    (needs the extra onnx)
    python benchmarks/inference.py --threads 1 --rounds 3

PyTorch is the network written by hand (reference_torch.py), without Keras. The four take turns in each round, so
that what else the machine does meets all of them; printed are medians over the rounds and their ratios to PyTorch.
Only an otherwise idle machine gives figures worth keeping.
"""

import argparse
import pathlib
import statistics
import tempfile
import time

import numpy as np
import reference_torch
import torch

from fer_keras import models
from fer_keras.experiment import load
from fer_keras.inference import export, folding, prediction
from fer_keras.inference.engines import OnnxEngine
from fer_keras.model_files import saving

BEST = pathlib.Path(__file__).parents[1] / "experiments" / "cnn_best.py"


def built():
    """The best run's network with weights and moving statistics drawn at random."""
    import keras  # after fer_keras, which chooses the backend

    experiment = load(BEST)
    scaling = keras.layers.Normalization(mean=129, variance=65**2)  # as in reference_torch
    model = saving.publish(models.build(experiment.model, experiment.model_options, [scaling]))
    random = np.random.default_rng(0)
    for layer in model.layers:
        if layer.name.endswith("norm"):
            layer.set_weights([random.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    return model


def hand_written(model):
    """Return the hand-written network with the weights of the Keras model, as a function of NumPy arrays."""
    options = load(BEST).model_options
    net = reference_torch.Cnn(
        filters=(32, 64, 128),
        **{name: options[name] for name in ("repeats", "units", "convolution_dropout", "dropout")},
    )
    theirs = [layer for layer in model.layers if layer.get_weights()]
    ours = [layer for layer in net.modules() if list(layer.parameters(recurse=False))]
    for source, target in zip(theirs, ours, strict=True):
        kernel, *rest = (torch.from_numpy(weight) for weight in source.get_weights())
        kernel = kernel.permute(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T if kernel.ndim == 2 else kernel
        values = [target.weight, target.bias, *target.buffers()]  # with batch normalization also its statistics
        with torch.no_grad():
            for value, new in zip(values, (kernel, *rest), strict=False):
                value.copy_(new)
    net = net.eval().to(memory_format=torch.channels_last)

    def classify(images):
        with torch.inference_mode():
            return net(torch.from_numpy(images)).softmax(dim=-1).numpy()

    return classify


def seconds(classify, images, least=0.2):
    """Return the seconds of one call, from as many calls as take `least` seconds."""
    start, calls = time.perf_counter(), 0
    while (passed := time.perf_counter() - start) < least:
        classify(images)
        calls += 1
    return passed / calls


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model = built()
    lean = folding.serving_model(model)
    with tempfile.TemporaryDirectory() as folder:
        export.export(model, f"{folder}/model.onnx", "onnx")
        contestants = {
            "PyTorch": hand_written(model),
            "Keras": lambda images: prediction.probabilities(model, images),
            "KerasEngine": lean.predict_on_batch,
            "OnnxEngine": OnnxEngine(f"{folder}/model.onnx", arguments.threads),
        }
    print(f"images per second (ratio to PyTorch), {arguments.threads} threads, torch {torch.__version__}\n")
    print("| batch | " + " | ".join(contestants) + " |\n|--:|" + "--:|" * len(contestants))
    for batch in (1, 32, 512):
        images = np.random.default_rng(1).integers(0, 256, (batch, 48, 48, 1)).astype("uint8")
        expected = contestants["PyTorch"](images)
        for name, classify in contestants.items():  # the first call of each is not timed
            np.testing.assert_allclose(classify(images), expected, atol=1e-4, err_msg=name)
        rounds = [
            {name: batch / seconds(classify, images) for name, classify in contestants.items()}
            for _ in range(arguments.rounds)
        ]
        rates = {name: statistics.median(each[name] for each in rounds) for name in contestants}
        cells = (f"{rate:,.0f} ({rate / rates['PyTorch']:.2f})" for rate in rates.values())
        print(f"| {batch} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
