"""3-1024-Layer-Down-NN-sgd: SGD.

    python experiments/nn_3_1024_layer_down_sgd.py

Question  Which optimizer, and what do input normalization, L2 and the learning rate change?
Source    study, step 6. The report leaves the learning rate open: the best of four on pilot seeds, see
          docs/study.md.
Differs   from 3-1024-Layer-Down-NN: SGD without momentum, learning rate 0.1.
Result    test accuracy 36.72 ± 1.64 %, validation 36.51 ± 1.08 %, gap -0.72 ± 1.26 points (4 seeds); 1.3
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1024-Layer-Down-NN-sgd",
    model_options={"units": (1024, 512, 256)},
    optimizer="sgd",
    learning_rate=0.1,
)

if __name__ == "__main__":
    main()
