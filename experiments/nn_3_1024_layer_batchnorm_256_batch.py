"""3-1024-Layer-Batchnorm-NN-256-Batch: BatchNorm over larger batches.

    python experiments/nn_3_1024_layer_batchnorm_256_batch.py

Question  Do normalization layers help the gradients through three layers, and at what price?
Source    study, step 2.
Differs   from 3-1024-Layer-Batchnorm-NN: batches of 256.
Result    test accuracy 29.60 ± 1.89 %, validation 29.33 ± 2.78 %, gap 41.03 ± 2.80 points (3 seeds of the
          pilot); 1.0 minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1024-Layer-Batchnorm-NN-256-Batch",
    model_options={"normalization": "batch"},
    batch_size=256,
)

if __name__ == "__main__":
    main()
