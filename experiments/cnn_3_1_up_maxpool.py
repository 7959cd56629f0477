"""3-1-Up-Maxpool-CNN: twice the channels after each pooling.

    python experiments/cnn_3_1_up_maxpool.py

Question  How far do convolutions alone go?
Source    study, step 8.
Differs   from 3-1-Maxpool-CNN: 32, 64 and 128 channels.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1-Up-Maxpool-CNN",
    model="cnn",
    normalization=True,
)

if __name__ == "__main__":
    main()
