"""3-Layer-Down-Dropout-0.5-Batchnorm-NN-adam-l2: BatchNorm with more dropout.

    python experiments/nn_3_layer_down_dropout_0_5_batchnorm_adam_l2.py

Question  Which combination of what came before is the best fully connected network?
Source    study, step 7.
Differs   from 3-Layer-Down-Dropout-0.3-Batchnorm-NN-adam-l2: dropout of 0.5.
Result    test accuracy 41.42 ± 1.04 %, validation 40.54 ± 0.67 %, gap 0.28 ± 0.80 points (4 seeds); 1.4
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-Layer-Down-Dropout-0.5-Batchnorm-NN-adam-l2",
    model_options={"units": (1024, 512, 256), "normalization": "batch", "dropout": 0.5, "l2": 1e-4},
    normalization=True,
)

if __name__ == "__main__":
    main()
