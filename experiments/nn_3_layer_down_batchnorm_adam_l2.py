"""3-Layer-Down-Batchnorm-NN-adam-l2: BatchNorm without dropout.

    python experiments/nn_3_layer_down_batchnorm_adam_l2.py

Question  Which combination of what came before is the best fully connected network?
Source    study, step 7.
Differs   from 3-Layer-Down-Dropout-0.3-Batchnorm-NN-adam-l2: no dropout.
Result    test accuracy 42.73 ± 0.39 %, validation 41.05 ± 0.14 %, gap 14.53 ± 0.39 points (4 seeds); 1.3
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-Layer-Down-Batchnorm-NN-adam-l2",
    model_options={"units": (1024, 512, 256), "normalization": "batch", "l2": 1e-4},
    normalization=True,
)

if __name__ == "__main__":
    main()
