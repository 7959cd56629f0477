"""3-1-Maxpool-CNN: max-pooling after each convolution.

    python experiments/cnn_3_1_maxpool.py

Question  How far do convolutions alone go?
Source    study, step 8.
Differs   from 3-1-CNN: max-pooling.
Result    test accuracy 55.87 %, validation 52.82 %, gap 27.23 points (1 seed); 3.2 minutes on AMD EPYC, 1
          thread, torch 2.13.0+cpu, mixed_bfloat16.
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
