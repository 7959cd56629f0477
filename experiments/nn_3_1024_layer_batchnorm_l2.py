"""3-1024-Layer-Batchnorm-NN-l2: BatchNorm with a penalty on the weights.

    python experiments/nn_3_1024_layer_batchnorm_l2.py

Question  Do normalization layers help the gradients through three layers, and at what price?
Source    study, step 2.
Differs   from 3-1024-Layer-Batchnorm-NN: L2 of factor 1e-4.
Result    test accuracy 26.66 ± 4.43 %, validation 25.75 ± 5.01 %, gap 23.47 ± 5.06 points (3 seeds of the
          pilot); 5.2 minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1024-Layer-Batchnorm-NN-l2",
    model_options={"normalization": "batch", "l2": 1e-4},
    batch_size=64,
)

if __name__ == "__main__":
    main()
