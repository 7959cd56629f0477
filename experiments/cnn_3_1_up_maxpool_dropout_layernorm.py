"""3-1-Up-Maxpool-Dropout-Layernorm-CNN: LayerNorm with dropout.

    python experiments/cnn_3_1_up_maxpool_dropout_layernorm.py

Question  BatchNorm or LayerNorm on the dense layers of a convolutional network?
Source    study, step 9.
Differs   from 3-1-Up-Maxpool-Dropout-Batchnorm-CNN: LayerNorm in place of BatchNorm.
Result    test accuracy 55.96 ± 0.04 %, validation 54.91 ± 0.33 %, gap 34.53 ± 1.99 points (4 seeds); 9.1
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1-Up-Maxpool-Dropout-Layernorm-CNN",
    model="cnn",
    model_options={"normalization": "layer", "dropout": 0.3},
    normalization=True,
)

if __name__ == "__main__":
    main()
