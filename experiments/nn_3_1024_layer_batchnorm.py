"""3-1024-Layer-Batchnorm-NN: three hidden layers with BatchNorm.

    python experiments/nn_3_1024_layer_batchnorm.py

Question  Do normalization layers help the gradients through three layers, and at what price?
Source    study, step 2.
Differs   from 3-1024-Layer-NN: BatchNorm before each activation.
Result    test accuracy 28.78 ± 4.20 %, validation 28.91 ± 4.45 %, gap 33.21 ± 4.39 points (3 seeds of the
          pilot); 3.1 minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1024-Layer-Batchnorm-NN",
    model_options={"normalization": "batch"},
    batch_size=64,
)

if __name__ == "__main__":
    main()
