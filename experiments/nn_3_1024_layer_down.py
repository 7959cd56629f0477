"""3-1024-Layer-Down-NN: each layer half as wide as the one before.

    python experiments/nn_3_1024_layer_down.py

Question  Which shape should three layers have: equal, halving, or widening and narrowing?
Source    study, step 3.
Differs   from 3-1024-Layer-NN-128-Batch: widths 1024, 512, 256.
Result    test accuracy 37.83 ± 0.91 %, validation 37.23 ± 0.80 %, gap 1.65 ± 0.84 points (4 seeds); 1.9
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1024-Layer-Down-NN",
    model_options={"units": (1024, 512, 256)},
)

if __name__ == "__main__":
    main()
