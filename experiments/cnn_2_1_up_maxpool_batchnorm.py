"""2-1-Up-Maxpool-Batchnorm-CNN: BatchNorm with fewer layers.

    python experiments/cnn_2_1_up_maxpool_batchnorm.py

Question  BatchNorm or LayerNorm on the dense layers of a convolutional network?
Source    study, step 9.
Differs   from 3-1-Up-Maxpool-Batchnorm-CNN: two convolutions.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="2-1-Up-Maxpool-Batchnorm-CNN",
    model="cnn",
    model_options={"filters": (32, 64), "normalization": "batch"},
    normalization=True,
)

if __name__ == "__main__":
    main()
