"""3-1024-Layer-Layernorm-NN: three hidden layers with LayerNorm.

    python experiments/nn_3_1024_layer_layernorm.py

Question  Do normalization layers help the gradients through three layers, and at what price?
Source    study, step 2.
Differs   from 3-1024-Layer-NN: LayerNorm before each activation.
Result    test accuracy 37.96 ± 1.05 %, validation 37.08 ± 1.02 %, gap 2.08 ± 0.94 points (4 seeds); 1.8
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1024-Layer-Layernorm-NN",
    model_options={"normalization": "layer"},
    batch_size=64,
)

if __name__ == "__main__":
    main()
