"""3-2-Up-Maxpool-Dropout-Layernorm-CBatchnorm-CNN-l2: with a penalty on the weights.

    python experiments/cnn_3_2_up_maxpool_dropout_layernorm_cbatchnorm_l2.py

Question  Which convolutional network is the best?
Source    study, step 12.
Differs   from 3-2-Up-Maxpool-Dropout-Layernorm-CBatchnorm-CNN: L2 of factor 1e-4.
Result    test accuracy 57.69 ± 0.56 %, validation 57.41 ± 1.97 %, gap 4.31 ± 2.34 points (3 seeds of the
          pilot); 4.1 minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-2-Up-Maxpool-Dropout-Layernorm-CBatchnorm-CNN-l2",
    model="cnn",
    model_options={
        "units": (256, 128),
        "normalization": "layer",
        "dropout": 0.3,
        "convolution_normalization": "batch",
        "l2": 1e-4,
    },
    normalization=True,
    augmentation=("flip",),
    learning_rate=2e-3,
    schedule="one_cycle",
    batch_size=64,
)

if __name__ == "__main__":
    main()
