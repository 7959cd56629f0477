"""3-1-Up-Maxpool-Dropout-Batchnorm-CNN: BatchNorm with dropout.

    python experiments/cnn_3_1_up_maxpool_dropout_batchnorm.py

Question  BatchNorm or LayerNorm on the dense layers of a convolutional network?
Source    study, step 9.
Differs   from 3-1-Up-Maxpool-Batchnorm-CNN: dropout of 0.3 after the dense layer.
Result    test accuracy 54.94 ± 0.64 %, validation 52.94 ± 0.59 %, gap 38.56 ± 0.65 points (3 seeds of the
          pilot); 4.1 minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1-Up-Maxpool-Dropout-Batchnorm-CNN",
    model="cnn",
    model_options={"normalization": "batch", "dropout": 0.3},
    normalization=True,
)

if __name__ == "__main__":
    main()
