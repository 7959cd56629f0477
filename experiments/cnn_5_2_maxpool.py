"""5-2-Maxpool-CNN: more layers, with max-pooling.

    python experiments/cnn_5_2_maxpool.py

Question  How far do convolutions alone go?
Source    study, step 8.
Differs   from 3-1-Maxpool-CNN: five convolutions and two dense layers.
Result    test accuracy 54.14 %, validation 51.50 %, gap 10.46 points (1 seed); 3.8 minutes on AMD EPYC, 1
          thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="5-2-Maxpool-CNN",
    model="cnn",
    model_options={"filters": (32, 32, 32, 32, 32), "units": (256, 256)},
    normalization=True,
)

if __name__ == "__main__":
    main()
