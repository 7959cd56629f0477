"""3-Layer-Down-NN-sgd-momentum: SGD with momentum on normalized faces.

    python experiments/nn_3_layer_down_sgd_momentum.py

Question  Which optimizer, and what do input normalization, L2 and the learning rate change?
Source    study, step 6. The report names SGD alone, PyTorch's has no momentum: beside the claim, not in it.
Differs   from 3-Layer-Down-NN-sgd: momentum of 0.9, learning rate 0.01.
Result    test accuracy 42.68 ± 0.91 %, validation 41.50 ± 0.49 %, gap 18.99 ± 0.47 points (4 seeds); 1.2
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-Layer-Down-NN-sgd-momentum",
    model_options={"units": (1024, 512, 256)},
    normalization=True,
    optimizer="sgd",
    optimizer_options={"momentum": 0.9},
    learning_rate=0.01,
)

if __name__ == "__main__":
    main()
