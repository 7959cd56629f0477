"""3-1024-Layer-Down-NN-sgd-momentum: SGD with momentum.

    python experiments/nn_3_1024_layer_down_sgd_momentum.py

Question  Which optimizer, and what do input normalization, L2 and the learning rate change?
Source    study, step 6. The report names SGD alone, PyTorch's has no momentum: beside the claim, not in it.
Differs   from 3-1024-Layer-Down-NN-sgd: momentum of 0.9, learning rate 0.01.
Result    test accuracy 37.23 ± 1.53 %, validation 36.31 ± 1.29 %, gap 2.30 ± 1.54 points (4 seeds); 1.5
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1024-Layer-Down-NN-sgd-momentum",
    model_options={"units": (1024, 512, 256)},
    optimizer="sgd",
    optimizer_options={"momentum": 0.9},
    learning_rate=0.01,
)

if __name__ == "__main__":
    main()
