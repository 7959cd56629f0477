"""3-2-Sweep-Best: the best of the sixteen trials of sweep.yaml.

    python experiments/cnn_sweep_best.py

Question  Which convolutional network is the best?
Source    study, step 12.
Differs   from 3-2-Best: AdamW instead of Adam, up to 0.0157 instead of 0.002, batch of 128, more dropout after the
          stages and none after the dense layers, a little L2, all chosen by the search.
Result    test accuracy 63.15 ± 0.56 %, validation 63.01 ± 0.69 %, gap 7.47 ± 0.48 points (3 seeds of the
          pilot); 17.6 minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-2-Sweep-Best",
    model="cnn",
    model_options={
        "repeats": 2,
        "units": (256, 128),
        "convolution_normalization": "batch",
        "convolution_dropout": 0.2,
        "normalization": "layer",
        "dropout": 0.0,
        "l2": 1e-5,
    },
    normalization=True,
    augmentation=("flip",),
    optimizer="adamw",
    learning_rate=0.01574146176036051,
    schedule="one_cycle",
)

if __name__ == "__main__":
    main()
