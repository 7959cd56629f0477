"""3-Layer-Down-NN-adam-l2: Adam with a penalty on the weights.

    python experiments/nn_3_layer_down_adam_l2.py

Question  Which optimizer, and what do input normalization, L2 and the learning rate change?
Source    study, step 6.
Differs   from 3-Layer-Down-NN-adam: L2 of factor 1e-4.
Result    test accuracy 43.29 ± 0.77 %, validation 41.23 ± 1.04 %, gap 14.18 ± 0.65 points (4 seeds); 2.1
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-Layer-Down-NN-adam-l2",
    model_options={"units": (1024, 512, 256), "l2": 1e-4},
    normalization=True,
)

if __name__ == "__main__":
    main()
