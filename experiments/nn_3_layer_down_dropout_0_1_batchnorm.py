"""3-Layer-Down-Dropout-0.1-Batchnorm-NN: BatchNorm with dropout of 0.1.

    python experiments/nn_3_layer_down_dropout_0_1_batchnorm.py

Question  What does dropout do, alone and together with BatchNorm?
Source    study, step 4.
Differs   from 3-1024-Layer-Down-Batchnorm-NN: dropout of 0.1 after each hidden layer.
Result    test accuracy 38.72 ± 2.28 %, validation 36.62 ± 1.97 %, gap 21.94 ± 1.83 points (4 seeds); 0.9
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-Layer-Down-Dropout-0.1-Batchnorm-NN",
    model_options={"units": (1024, 512, 256), "normalization": "batch", "dropout": 0.1},
)

if __name__ == "__main__":
    main()
