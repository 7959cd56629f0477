"""3-Layer-Down-NN-rmsprop-lr-0.0003: RMSprop on normalized faces at its best rate.

    python experiments/nn_3_layer_down_rmsprop_lr_0_0003.py

Question  Which optimizer, and what do input normalization, L2 and the learning rate change?
Source    study, step 6. Each optimizer at the best of four rates, chosen on a pilot seed.
Differs   from 3-Layer-Down-NN-rmsprop: learning rate 0.0003.
Result    test accuracy 44.85 ± 1.24 %, validation 42.20 ± 1.70 %, gap 32.30 ± 2.04 points (4 seeds); 1.2
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-Layer-Down-NN-rmsprop-lr-0.0003",
    model_options={"units": (1024, 512, 256)},
    normalization=True,
    optimizer="rmsprop",
    optimizer_options={"rho": 0.99, "epsilon": 1e-16},
    learning_rate=3e-4,
)

if __name__ == "__main__":
    main()
