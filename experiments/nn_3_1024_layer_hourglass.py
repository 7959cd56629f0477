"""3-1024-Layer-Hourglass-NN: layers that widen, then narrow.

    python experiments/nn_3_1024_layer_hourglass.py

Question  Which shape should three layers have: equal, halving, or widening and narrowing?
Source    study, step 3. The report leaves the widths open; 1024 is the widest layer of all three shapes.
Differs   from 3-1024-Layer-NN-128-Batch: widths 512, 1024, 512.
Result    test accuracy 37.50 ± 1.16 %, validation 36.23 ± 1.69 %, gap 1.60 ± 1.84 points (4 seeds); 1.6
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1024-Layer-Hourglass-NN",
    model_options={"units": (512, 1024, 512)},
)

if __name__ == "__main__":
    main()
