"""3-1-Up-Maxpool-Dropout-CNN: dropout, no normalization layer.

    python experiments/cnn_3_1_up_maxpool_dropout.py

Question  BatchNorm or LayerNorm on the dense layers of a convolutional network?
Source    study, step 9. The report leaves the dropout of its CNNs open; 0.3 is that of its best NN.
Differs   from 3-1-Up-Maxpool-CNN: dropout of 0.3 after the dense layer.
Result    test accuracy 57.04 ± 0.45 %, validation 56.80 ± 0.64 %, gap 23.12 ± 1.74 points (4 seeds); 5.0
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1-Up-Maxpool-Dropout-CNN",
    model="cnn",
    model_options={"dropout": 0.3},
    normalization=True,
)

if __name__ == "__main__":
    main()
