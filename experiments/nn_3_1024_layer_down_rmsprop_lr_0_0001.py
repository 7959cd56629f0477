"""3-1024-Layer-Down-NN-rmsprop-lr-0.0001: RMSprop at its best rate.

    python experiments/nn_3_1024_layer_down_rmsprop_lr_0_0001.py

Question  Which optimizer, and what do input normalization, L2 and the learning rate change?
Source    study, step 6. Each optimizer at the best of four rates, chosen on a pilot seed.
Differs   from 3-1024-Layer-Down-NN-rmsprop: learning rate 0.0001.
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
