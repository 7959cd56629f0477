"""3-Layer-Down-Dropout-0.3-Batchnorm-NN-adam-l2: the report's best fully connected network.

    python experiments/nn_3_layer_down_dropout_0_3_batchnorm_adam_l2.py

Question  Which combination of what came before is the best fully connected network?
Source    study, step 7.
Differs   from 3-Layer-Down-NN-adam-l2: BatchNorm, dropout of 0.3.
Result    test accuracy 42.06 ± 0.43 %, validation 41.09 ± 0.69 %, gap 4.16 ± 0.50 points (4 seeds); 1.1
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-Layer-Down-Dropout-0.3-Batchnorm-NN-adam-l2",
    model_options={"units": (1024, 512, 256), "normalization": "batch", "dropout": 0.3, "l2": 1e-4},
    normalization=True,
)

if __name__ == "__main__":
    main()
