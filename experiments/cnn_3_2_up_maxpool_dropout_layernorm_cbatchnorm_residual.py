"""3-2-Up-Maxpool-Dropout-Layernorm-CBatchnorm-Residual-CNN: with residual connections.

    python experiments/cnn_3_2_up_maxpool_dropout_layernorm_cbatchnorm_residual.py

Question  Which convolutional network is the best?
Source    study, step 12.
Differs   from 3-2-Up-Maxpool-Dropout-Layernorm-CBatchnorm-CNN: a residual connection around each stage.
Result    test accuracy 58.00 ± 0.50 %, validation 57.35 ± 1.15 %, gap 7.29 ± 1.03 points (3 seeds of the
          pilot); 6.0 minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-2-Up-Maxpool-Dropout-Layernorm-CBatchnorm-Residual-CNN",
    model="cnn",
    model_options={
        "units": (256, 128),
        "normalization": "layer",
        "dropout": 0.3,
        "convolution_normalization": "batch",
        "residual": True,
    },
    normalization=True,
    augmentation=("flip",),
    learning_rate=2e-3,
    schedule="one_cycle",
    batch_size=64,
)

if __name__ == "__main__":
    main()
