"""3-1024-Layer-Down-Batchnorm-NN: BatchNorm without dropout.

    python experiments/nn_3_1024_layer_down_batchnorm.py

Question  What does dropout do, alone and together with BatchNorm?
Source    study, step 4.
Differs   from 3-1024-Layer-Down-NN: BatchNorm before each activation.
Result    test accuracy 29.48 ± 2.22 %, validation 29.52 ± 1.67 %, gap 39.90 ± 1.91 points (3 seeds of the
          pilot); 4.1 minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1024-Layer-Down-Batchnorm-NN",
    model_options={"units": (1024, 512, 256), "normalization": "batch"},
)

if __name__ == "__main__":
    main()
