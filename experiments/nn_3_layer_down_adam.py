"""3-Layer-Down-NN-adam: Adam on normalized faces.

    python experiments/nn_3_layer_down_adam.py

Question  Which optimizer, and what do input normalization, L2 and the learning rate change?
Source    study, step 6.
Differs   from 3-1024-Layer-Down-NN, which also has Adam: input normalization.
Result    test accuracy 44.07 ± 0.65 %, validation 41.54 ± 0.48 %, gap 25.56 ± 0.17 points (4 seeds); 1.3
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-Layer-Down-NN-adam",
    model_options={"units": (1024, 512, 256)},
    normalization=True,
)

if __name__ == "__main__":
    main()
