"""3-Layer-Down-Dropout-0.5-Batchnorm-NN: BatchNorm with dropout of 0.5.

    python experiments/nn_3_layer_down_dropout_0_5_batchnorm.py

Question  What does dropout do, alone and together with BatchNorm?
Source    study, step 4.
Differs   from 3-1024-Layer-Down-Batchnorm-NN: dropout of 0.5 after each hidden layer.
Result    test accuracy 39.80 ± 2.11 %, validation 38.20 ± 2.33 %, gap 5.43 ± 2.07 points (4 seeds); 0.9
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-Layer-Down-Dropout-0.5-Batchnorm-NN",
    model_options={"units": (1024, 512, 256), "normalization": "batch", "dropout": 0.5},
)

if __name__ == "__main__":
    main()
