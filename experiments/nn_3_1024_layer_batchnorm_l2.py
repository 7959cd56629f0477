"""3-1024-Layer-Batchnorm-NN-l2: BatchNorm with a penalty on the weights.

    python experiments/nn_3_1024_layer_batchnorm_l2.py

Question  Do normalization layers help the gradients through three layers, and at what price?
Source    study, step 2.
Differs   from 3-1024-Layer-Batchnorm-NN: L2 of factor 1e-4.
Result    test accuracy 36.13 ± 2.81 %, validation 34.29 ± 3.53 %, gap 13.94 ± 3.67 points (4 seeds); 2.4
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1024-Layer-Batchnorm-NN-l2",
    model_options={"normalization": "batch", "l2": 1e-4},
    batch_size=64,
)

if __name__ == "__main__":
    main()
