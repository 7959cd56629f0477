"""3-1024-Layer-Down-NN-rmsprop-lr-0.0001: RMSprop at its best rate.

    python experiments/nn_3_1024_layer_down_rmsprop_lr_0_0001.py

Question  Which optimizer, and what do input normalization, L2 and the learning rate change?
Source    study, step 6. Each optimizer at the best of four rates, chosen on a pilot seed.
Differs   from 3-1024-Layer-Down-NN-rmsprop: learning rate 0.0001.
Result    test accuracy 37.32 ± 1.98 %, validation 37.20 ± 2.12 %, gap 0.97 ± 2.24 points (4 seeds); 1.7
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1024-Layer-Down-NN-rmsprop-lr-0.0001",
    model_options={"units": (1024, 512, 256)},
    optimizer="rmsprop",
    optimizer_options={"rho": 0.99, "epsilon": 1e-16},
    learning_rate=1e-4,
)

if __name__ == "__main__":
    main()
