"""6-Layer-Down-NN: six layers, each half as wide as the one before.

    python experiments/nn_6_layer_down.py

Question  Does a deeper network gain anything?
Source    study, step 5.
Differs   from 3-1024-Layer-Down-NN: three layers more, down to 32 units.
Result    test accuracy 37.36 ± 1.98 %, validation 36.55 ± 1.71 %, gap 2.02 ± 1.31 points (3 seeds of the
          pilot); 1.7 minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="6-Layer-Down-NN",
    model_options={"units": (1024, 512, 256, 128, 64, 32)},
)

if __name__ == "__main__":
    main()
