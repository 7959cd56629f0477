"""3-1-Up-Maxpool-Batchnorm-CNN-l2: BatchNorm with a penalty on the weights.

    python experiments/cnn_3_1_up_maxpool_batchnorm_l2.py

Question  BatchNorm or LayerNorm on the dense layers of a convolutional network?
Source    study, step 9.
Differs   from 3-1-Up-Maxpool-Batchnorm-CNN: L2 of factor 1e-4.
Result    test accuracy 54.00 ± 0.49 %, validation 50.63 ± 0.82 %, gap 45.74 ± 0.40 points (3 seeds of the
          pilot); 4.1 minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1-Up-Maxpool-Batchnorm-CNN-l2",
    model="cnn",
    model_options={"normalization": "batch", "l2": 1e-4},
    normalization=True,
)

if __name__ == "__main__":
    main()
