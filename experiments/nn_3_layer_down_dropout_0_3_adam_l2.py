"""3-Layer-Down-Dropout-0.3-NN-adam-l2: dropout without BatchNorm.

    python experiments/nn_3_layer_down_dropout_0_3_adam_l2.py

Question  Which combination of what came before is the best fully connected network?
Source    study, step 7.
Differs   from 3-Layer-Down-Dropout-0.3-Batchnorm-NN-adam-l2: no BatchNorm.
Result    test accuracy 41.13 ± 0.91 %, validation 40.34 ± 0.22 %, gap 2.16 ± 0.38 points (4 seeds); 1.1
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-Layer-Down-Dropout-0.3-NN-adam-l2",
    model_options={"units": (1024, 512, 256), "dropout": 0.3, "l2": 1e-4},
    normalization=True,
)

if __name__ == "__main__":
    main()
