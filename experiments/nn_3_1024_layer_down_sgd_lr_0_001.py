"""3-1024-Layer-Down-NN-sgd-lr-0.001: SGD at Adam's learning rate.

    python experiments/nn_3_1024_layer_down_sgd_lr_0_001.py

Question  Which optimizer, and what do input normalization, L2 and the learning rate change?
Source    study, step 6. All optimizers at one rate, beside each one at its best.
Differs   from 3-1024-Layer-Down-NN-sgd: learning rate 0.001.
Result    test accuracy 24.92 ± 0.02 %, validation 25.20 ± 0.11 %, gap -0.08 ± 0.12 points (4 seeds); 1.2
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1024-Layer-Down-NN-sgd-lr-0.001",
    model_options={"units": (1024, 512, 256)},
    optimizer="sgd",
)

if __name__ == "__main__":
    main()
