"""3-1-CNN: three convolutions and one dense layer.

    python experiments/cnn_3_1.py

Question  How far do convolutions alone go?
Source    study, step 8.
Differs   from 1-1-CNN: three convolutions.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1-CNN",
    model="cnn",
    model_options={"filters": (32, 32, 32), "max_pooling": False},
    normalization=True,
)

if __name__ == "__main__":
    main()
