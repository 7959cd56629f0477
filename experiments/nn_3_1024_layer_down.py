"""3-1024-Layer-Down-NN: each layer half as wide as the one before.

    python experiments/nn_3_1024_layer_down.py

Question  Which shape should three layers have: equal, halving, or widening and narrowing?
Source    study, step 3.
Differs   from 3-1024-Layer-NN-128-Batch: widths 1024, 512, 256.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1024-Layer-Down-NN",
    model_options={"units": (1024, 512, 256)},
)

if __name__ == "__main__":
    main()
