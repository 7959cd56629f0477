"""3-1024-Layer-Batchnorm-NN-256-Batch: BatchNorm over larger batches.

    python experiments/nn_3_1024_layer_batchnorm_256_batch.py

Question  Do normalization layers help the gradients through three layers, and at what price?
Source    study, step 2.
Differs   from 3-1024-Layer-Batchnorm-NN: batches of 256.
Result    test accuracy 32.04 ± 5.22 %, validation 30.73 ± 5.33 %, gap 35.75 ± 5.19 points (4 seeds); 1.0
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1024-Layer-Batchnorm-NN-256-Batch",
    model_options={"normalization": "batch"},
    batch_size=256,
)

if __name__ == "__main__":
    main()
