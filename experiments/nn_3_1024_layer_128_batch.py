"""3-1024-Layer-NN-128-Batch: three equal layers, 1024 wide.

    python experiments/nn_3_1024_layer_128_batch.py

Question  Which shape should three layers have: equal, halving, or widening and narrowing?
Source    study, step 3.
Differs   in nothing from the protocol. From 3-1024-Layer-NN: batches of 128.
Result    test accuracy 37.65 ± 0.68 %, validation 37.10 ± 0.65 %, gap 1.09 ± 0.81 points (4 seeds); 2.9
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1024-Layer-NN-128-Batch",
)

if __name__ == "__main__":
    main()
