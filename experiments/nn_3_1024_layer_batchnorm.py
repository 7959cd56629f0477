"""3-1024-Layer-Batchnorm-NN: three hidden layers with BatchNorm.

    python experiments/nn_3_1024_layer_batchnorm.py

Question  Do normalization layers help the gradients through three layers, and at what price?
Source    study, step 2.
Differs   from 3-1024-Layer-NN: BatchNorm before each activation.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1024-Layer-Batchnorm-NN",
    model_options={"normalization": "batch"},
    batch_size=64,
)

if __name__ == "__main__":
    main()
