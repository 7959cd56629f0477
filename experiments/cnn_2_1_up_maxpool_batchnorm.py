"""2-1-Up-Maxpool-Batchnorm-CNN: BatchNorm with fewer layers.

    python experiments/cnn_2_1_up_maxpool_batchnorm.py

Question  BatchNorm or LayerNorm on the dense layers of a convolutional network?
Source    study, step 9.
Differs   from 3-1-Up-Maxpool-Batchnorm-CNN: two convolutions.
Result    test accuracy 52.85 ± 1.13 %, validation 49.64 ± 1.19 %, gap 49.83 ± 1.15 points (3 seeds of the
          pilot); 2.8 minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="2-1-Up-Maxpool-Batchnorm-CNN",
    model="cnn",
    model_options={"filters": (32, 64), "normalization": "batch"},
    normalization=True,
)

if __name__ == "__main__":
    main()
