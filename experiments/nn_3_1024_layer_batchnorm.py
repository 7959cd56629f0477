"""3-1024-Layer-Batchnorm-NN: three hidden layers with BatchNorm.

    python experiments/nn_3_1024_layer_batchnorm.py

Question  Do normalization layers help the gradients through three layers, and at what price?
Source    study, step 2.
Differs   from 3-1024-Layer-NN: BatchNorm before each activation.
Result    test accuracy 40.46 ± 1.23 %, validation 39.24 ± 1.45 %, gap 22.30 ± 1.57 points (4 seeds); 2.0
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1024-Layer-Batchnorm-NN",
    model_options={"normalization": "batch"},
    batch_size=64,
)

if __name__ == "__main__":
    main()
