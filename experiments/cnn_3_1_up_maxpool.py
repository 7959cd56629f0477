"""3-1-Up-Maxpool-CNN: twice the channels after each pooling.

    python experiments/cnn_3_1_up_maxpool.py

Question  How far do convolutions alone go?
Source    study, step 8.
Differs   from 3-1-Maxpool-CNN: 32, 64 and 128 channels.
Result    test accuracy 56.48 ± 0.64 %, validation 55.47 ± 0.51 %, gap 35.27 ± 0.71 points (4 seeds); 5.0
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1-Up-Maxpool-CNN",
    model="cnn",
    normalization=True,
)

if __name__ == "__main__":
    main()
