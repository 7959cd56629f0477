"""4-Layer-Down-Dropout-0.3-Batchnorm-NN-adam-l2: one layer more.

    python experiments/nn_4_layer_down_dropout_0_3_batchnorm_adam_l2.py

Question  Which combination of what came before is the best fully connected network?
Source    study, step 7.
Differs   from 3-Layer-Down-Dropout-0.3-Batchnorm-NN-adam-l2: a fourth layer of 128 units.
Result    test accuracy 41.20 ± 0.62 %, validation 40.32 ± 0.18 %, gap 3.69 ± 0.26 points (4 seeds); 1.2
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="4-Layer-Down-Dropout-0.3-Batchnorm-NN-adam-l2",
    model_options={"units": (1024, 512, 256, 128), "normalization": "batch", "dropout": 0.3, "l2": 1e-4},
    normalization=True,
)

if __name__ == "__main__":
    main()
