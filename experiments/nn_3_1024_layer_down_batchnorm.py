"""3-1024-Layer-Down-Batchnorm-NN: BatchNorm without dropout.

    python experiments/nn_3_1024_layer_down_batchnorm.py

Question  What does dropout do, alone and together with BatchNorm?
Source    study, step 4.
Differs   from 3-1024-Layer-Down-NN: BatchNorm before each activation.
Result    test accuracy 38.84 ± 1.19 %, validation 37.05 ± 0.74 %, gap 28.17 ± 0.91 points (4 seeds); 0.8
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1024-Layer-Down-Batchnorm-NN",
    model_options={"units": (1024, 512, 256), "normalization": "batch"},
)

if __name__ == "__main__":
    main()
