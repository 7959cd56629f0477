"""3-2-Up-Maxpool-Dropout-Layernorm-CBatchnorm-CNN: the best run's architecture under the protocol.

    python experiments/cnn_3_2_up_maxpool_dropout_layernorm_cbatchnorm.py

Question  Which convolutional network is the best?
Source    study, step 12.
Differs   from 3-1-Up-Maxpool-Dropout-Layernorm-CNN-image-flip: BatchNorm on the convolutions, a second dense
          layer.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-2-Up-Maxpool-Dropout-Layernorm-CBatchnorm-CNN",
    model="cnn",
    model_options={
        "units": (256, 128),
        "normalization": "layer",
        "dropout": 0.3,
        "convolution_normalization": "batch",
    },
    normalization=True,
    augmentation=("flip",),
)

if __name__ == "__main__":
    main()
