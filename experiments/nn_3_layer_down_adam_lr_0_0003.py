"""3-Layer-Down-NN-adam-lr-0.0003: Adam, slower.

    python experiments/nn_3_layer_down_adam_lr_0_0003.py

Question  Which optimizer, and what do input normalization, L2 and the learning rate change?
Source    study, step 6. The report leaves the two other learning rates open.
Differs   from 3-Layer-Down-NN-adam: learning rate 0.0003, about a third.
Result    test accuracy 44.43 ± 1.11 %, validation 42.64 ± 0.77 %, gap 30.03 ± 0.66 points (4 seeds); 1.8
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-Layer-Down-NN-adam-lr-0.0003",
    model_options={"units": (1024, 512, 256)},
    normalization=True,
    learning_rate=3e-4,
)

if __name__ == "__main__":
    main()
