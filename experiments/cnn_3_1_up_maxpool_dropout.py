"""3-1-Up-Maxpool-Dropout-CNN: dropout, no normalization layer.

    python experiments/cnn_3_1_up_maxpool_dropout.py

Question  BatchNorm or LayerNorm on the dense layers of a convolutional network?
Source    study, step 9. The report leaves the dropout of its CNNs open; 0.3 is that of its best NN.
Differs   from 3-1-Up-Maxpool-CNN: dropout of 0.3 after the dense layer.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1-Up-Maxpool-Dropout-CNN",
    model="cnn",
    model_options={"dropout": 0.3},
    normalization=True,
)

if __name__ == "__main__":
    main()
