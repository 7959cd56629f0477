"""3-Layer-Down-NN-rmsprop: RMSprop on normalized faces.

    python experiments/nn_3_layer_down_rmsprop.py

Question  Which optimizer, and what do input normalization, L2 and the learning rate change?
Source    study, step 6.
Differs   from 3-1024-Layer-Down-NN-rmsprop: input normalization.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-Layer-Down-NN-rmsprop",
    model_options={"units": (1024, 512, 256)},
    normalization=True,
    optimizer="rmsprop",
)

if __name__ == "__main__":
    main()
