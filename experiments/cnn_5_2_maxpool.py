"""5-2-Maxpool-CNN: more layers, with max-pooling.

    python experiments/cnn_5_2_maxpool.py

Question  How far do convolutions alone go?
Source    study, step 8.
Differs   from 3-1-Maxpool-CNN: five convolutions and two dense layers.
Result    test accuracy 53.76 ± 0.34 %, validation 51.79 ± 0.27 %, gap 10.75 ± 0.37 points (3 seeds of the
          pilot); 2.9 minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
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
