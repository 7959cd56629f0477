"""4-2-Up-Maxpool-Dropout-Layernorm-CNN: eight convolutions and two dense layers.

    python experiments/cnn_4_2_up_maxpool_dropout_layernorm.py

Question  What helps a deeper network: BatchNorm on the convolutions, LeakyReLU, residual connections?
Source    study, step 11. The report leaves the depth open; 16 channels at the start keep the whole step
          affordable.
Differs   from 3-1-Up-Maxpool-Dropout-Layernorm-CNN-image-flip: four stages of two convolutions, a second
          dense layer.
Result    test accuracy 58.49 ± 0.44 %, validation 57.20 ± 0.78 %, gap 5.40 ± 1.46 points (3 seeds of the
          pilot); 4.8 minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="4-2-Up-Maxpool-Dropout-Layernorm-CNN",
    model="cnn",
    model_options={
        "filters": (16, 32, 64, 128),
        "repeats": 2,
        "units": (256, 128),
        "normalization": "layer",
        "dropout": 0.3,
    },
    normalization=True,
    augmentation=("flip",),
)

if __name__ == "__main__":
    main()
