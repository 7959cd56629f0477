"""3-1-CNN: three convolutions and one dense layer.

    python experiments/cnn_3_1.py

Question  How far do convolutions alone go?
Source    study, step 8.
Differs   from 1-1-CNN: three convolutions.
Result    test accuracy 46.81 ± 1.14 %, validation 44.79 ± 0.79 %, gap 54.83 ± 0.76 points (3 seeds of the
          pilot); 9.5 minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
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
