"""3-Layer-Down-Batchnorm-NN-adam-l2: BatchNorm without dropout.

    python experiments/nn_3_layer_down_batchnorm_adam_l2.py

Question  Which combination of what came before is the best fully connected network?
Source    study, step 7.
Differs   from 3-Layer-Down-Dropout-0.3-Batchnorm-NN-adam-l2: no dropout.
Result    test accuracy 42.18 ± 0.20 %, validation 40.30 ± 0.62 %, gap 19.66 ± 0.85 points (2 seeds); 1.0
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
