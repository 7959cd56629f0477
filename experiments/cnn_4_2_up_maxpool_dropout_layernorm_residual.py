"""4-2-Up-Maxpool-Dropout-Layernorm-Residual-CNN: residual connections.

    python experiments/cnn_4_2_up_maxpool_dropout_layernorm_residual.py

Question  What helps a deeper network: BatchNorm on the convolutions, LeakyReLU, residual connections?
Source    study, step 11.
Differs   from 4-2-Up-Maxpool-Dropout-Layernorm-CNN: a residual connection around each stage.
Result    test accuracy 58.30 ± 0.33 %, validation 56.80 ± 0.41 %, gap 7.96 ± 0.83 points (3 seeds of the
          pilot); 6.8 minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="4-2-Up-Maxpool-Dropout-Layernorm-Residual-CNN",
    model="cnn",
    model_options={
        "filters": (16, 32, 64, 128),
        "repeats": 2,
        "units": (256, 128),
        "normalization": "layer",
        "dropout": 0.3,
        "residual": True,
    },
    normalization=True,
    augmentation=("flip",),
)

if __name__ == "__main__":
    main()
