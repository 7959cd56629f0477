"""3-1-Up-Maxpool-Batchnorm-CNN: BatchNorm on the dense layer.

    python experiments/cnn_3_1_up_maxpool_batchnorm.py

Question  BatchNorm or LayerNorm on the dense layers of a convolutional network?
Source    study, step 9.
Differs   from 3-1-Up-Maxpool-CNN: BatchNorm on the dense layer.
Result    test accuracy 52.75 ± 1.89 %, validation 49.99 ± 3.01 %, gap 47.78 ± 3.20 points (3 seeds of the
          pilot); 3.8 minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1-Up-Maxpool-Batchnorm-CNN",
    model="cnn",
    model_options={"normalization": "batch"},
    normalization=True,
)

if __name__ == "__main__":
    main()
