"""3-1024-Layer-NN-128-Batch: three equal layers, 1024 wide.

    python experiments/nn_3_1024_layer_128_batch.py

Question  Which shape should three layers have: equal, halving, or widening and narrowing?
Source    study, step 3.
Differs   in nothing from the protocol. From 3-1024-Layer-NN: batches of 128.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1024-Layer-NN-128-Batch",
)

if __name__ == "__main__":
    main()
