"""3-1-Up-Maxpool-Batchnorm-CNN-l2: BatchNorm with a penalty on the weights.

    python experiments/cnn_3_1_up_maxpool_batchnorm_l2.py

Question  BatchNorm or LayerNorm on the dense layers of a convolutional network?
Source    study, step 9.
Differs   from 3-1-Up-Maxpool-Batchnorm-CNN: L2 of factor 1e-4.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1-Up-Maxpool-Batchnorm-CNN-l2",
    model="cnn",
    model_options={"normalization": "batch", "l2": 1e-4},
    normalization=True,
)

if __name__ == "__main__":
    main()
