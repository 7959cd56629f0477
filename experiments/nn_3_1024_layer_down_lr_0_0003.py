"""3-1024-Layer-Down-NN-lr-0.0003: Adam at its best rate.

    python experiments/nn_3_1024_layer_down_lr_0_0003.py

Question  Which optimizer, and what do input normalization, L2 and the learning rate change?
Source    study, step 6. Each optimizer at the best of four rates, chosen on a pilot seed.
Differs   from 3-1024-Layer-Down-NN: learning rate 0.0003.
Result    test accuracy 38.43 ± 0.84 %, validation 37.75 ± 0.80 %, gap 2.19 ± 0.84 points (4 seeds); 1.6
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1024-Layer-Down-NN-lr-0.0003",
    model_options={"units": (1024, 512, 256)},
    learning_rate=3e-4,
)

if __name__ == "__main__":
    main()
