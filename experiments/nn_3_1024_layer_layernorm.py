"""3-1024-Layer-Layernorm-NN: three hidden layers with LayerNorm.

    python experiments/nn_3_1024_layer_layernorm.py

Question  Do normalization layers help the gradients through three layers, and at what price?
Source    study, step 2.
Differs   from 3-1024-Layer-NN: LayerNorm before each activation.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1024-Layer-Layernorm-NN",
    model_options={"normalization": "layer"},
    batch_size=64,
)

if __name__ == "__main__":
    main()
