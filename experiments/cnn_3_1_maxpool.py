"""3-1-Maxpool-CNN: max-pooling after each convolution.

    python experiments/cnn_3_1_maxpool.py

Question  How far do convolutions alone go?
Source    study, step 8.
Differs   from 3-1-CNN: max-pooling.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1-Maxpool-CNN",
    model="cnn",
    model_options={"filters": (32, 32, 32)},
    normalization=True,
)

if __name__ == "__main__":
    main()
