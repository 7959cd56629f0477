"""4-Layer-Down-NN: four layers, each half as wide as the one before.

    python experiments/nn_4_layer_down.py

Question  Does a deeper network gain anything?
Source    study, step 5.
Differs   from 3-1024-Layer-Down-NN: one layer more, down to 128 units.
Result    test accuracy 37.72 ± 0.49 %, validation 37.12 ± 1.51 %, gap 1.06 ± 1.58 points (4 seeds); 0.8
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="4-Layer-Down-NN",
    model_options={"units": (1024, 512, 256, 128)},
)

if __name__ == "__main__":
    main()
