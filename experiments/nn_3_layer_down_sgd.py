"""3-Layer-Down-NN-sgd: SGD on normalized faces.

    python experiments/nn_3_layer_down_sgd.py

Question  Which optimizer, and what do input normalization, L2 and the learning rate change?
Source    study, step 6.
Differs   from 3-1024-Layer-Down-NN-sgd: input normalization.
Result    test accuracy 43.40 ± 0.62 %, validation 40.90 ± 0.54 %, gap 16.70 ± 0.52 points (4 seeds); 1.3
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-Layer-Down-NN-sgd",
    model_options={"units": (1024, 512, 256)},
    normalization=True,
    optimizer="sgd",
    learning_rate=0.1,
)

if __name__ == "__main__":
    main()
