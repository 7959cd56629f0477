"""3-1-Up-Maxpool-Batchnorm-CNN: BatchNorm on the dense layer.

    python experiments/cnn_3_1_up_maxpool_batchnorm.py

Question  BatchNorm or LayerNorm on the dense layers of a convolutional network?
Source    study, step 9.
Differs   from 3-1-Up-Maxpool-CNN: BatchNorm on the dense layer.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1-Up-Maxpool-Batchnorm-CNN",
    model="cnn",
    model_options={"normalization": "batch"},
    normalization=True,
)

if __name__ == "__main__":
    main()
