"""3-Layer-Down-NN-sgd-lr-0.001: SGD on normalized faces at Adam's learning rate.

    python experiments/nn_3_layer_down_sgd_lr_0_001.py

Question  Which optimizer, and what do input normalization, L2 and the learning rate change?
Source    study, step 6. All optimizers at one rate, beside each one at its best.
Differs   from 3-Layer-Down-NN-sgd: learning rate 0.001.
Result    test accuracy 25.15 ± 0.47 %, validation 25.30 ± 0.29 %, gap -0.04 ± 0.07 points (4 seeds); 1.3
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-Layer-Down-NN-sgd-lr-0.001",
    model_options={"units": (1024, 512, 256)},
    normalization=True,
    optimizer="sgd",
)

if __name__ == "__main__":
    main()
