"""1-1-CNN: one convolution and one dense layer.

    python experiments/cnn_1_1.py

Question  How far do convolutions alone go?
Source    study, step 8. The report leaves channels and dense units open; all of step 8 but its last run has
          32 and 256.
Differs   from the protocol: a convolutional network, 32 channels, no pooling, 256 dense units; input
          normalization.
Result    test accuracy 44.32 ± 1.11 %, validation 42.79 ± 0.92 %, gap 33.58 ± 1.85 points (3 seeds of the
          pilot); 3.8 minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="1-1-CNN",
    model="cnn",
    model_options={"filters": (32,), "max_pooling": False},
    normalization=True,
)

if __name__ == "__main__":
    main()
