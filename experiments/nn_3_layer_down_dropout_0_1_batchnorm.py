"""3-Layer-Down-Dropout-0.1-Batchnorm-NN: BatchNorm with dropout of 0.1.

    python experiments/nn_3_layer_down_dropout_0_1_batchnorm.py

Question  What does dropout do, alone and together with BatchNorm?
Source    study, step 4.
Differs   from 3-1024-Layer-Down-Batchnorm-NN: dropout of 0.1 after each hidden layer.
Result    test accuracy 31.74 ± 3.43 %, validation 31.55 ± 3.35 %, gap 27.72 ± 3.38 points (3 seeds of the
          pilot); 4.2 minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-Layer-Down-Dropout-0.1-Batchnorm-NN",
    model_options={"units": (1024, 512, 256), "normalization": "batch", "dropout": 0.1},
)

if __name__ == "__main__":
    main()
