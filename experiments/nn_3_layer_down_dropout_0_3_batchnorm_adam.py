"""3-Layer-Down-Dropout-0.3-Batchnorm-NN-adam: BatchNorm and dropout without a penalty.

    python experiments/nn_3_layer_down_dropout_0_3_batchnorm_adam.py

Question  Which combination of what came before is the best fully connected network?
Source    study, step 7.
Differs   from 3-Layer-Down-Dropout-0.3-Batchnorm-NN-adam-l2: no L2.
Result    test accuracy 44.24 ± 0.51 %, validation 42.78 ± 0.28 %, gap 6.91 ± 0.15 points (4 seeds); 1.1
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-Layer-Down-Dropout-0.3-Batchnorm-NN-adam",
    model_options={"units": (1024, 512, 256), "normalization": "batch", "dropout": 0.3},
    normalization=True,
)

if __name__ == "__main__":
    main()
