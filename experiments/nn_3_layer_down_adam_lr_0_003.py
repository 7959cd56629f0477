"""3-Layer-Down-NN-adam-lr-0.003: Adam, faster.

    python experiments/nn_3_layer_down_adam_lr_0_003.py

Question  Which optimizer, and what do input normalization, L2 and the learning rate change?
Source    study, step 6.
Differs   from 3-Layer-Down-NN-adam: learning rate 0.003, three times as much.
Result    test accuracy 41.66 ± 0.59 %, validation 40.29 ± 0.31 %, gap 12.74 ± 0.58 points (4 seeds); 1.4
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-Layer-Down-NN-adam-lr-0.003",
    model_options={"units": (1024, 512, 256)},
    normalization=True,
    learning_rate=3e-3,
)

if __name__ == "__main__":
    main()
