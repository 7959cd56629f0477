"""4-Layer-Down-NN: four layers, each half as wide as the one before.

    python experiments/nn_4_layer_down.py

Question  Does a deeper network gain anything?
Source    study, step 5.
Differs   from 3-1024-Layer-Down-NN: one layer more, down to 128 units.
Result    test accuracy 37.87 ± 1.47 %, validation 37.38 ± 1.18 %, gap 1.73 ± 1.12 points (3 seeds of the
          pilot); 1.9 minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="4-Layer-Down-NN",
    model_options={"units": (1024, 512, 256, 128)},
)

if __name__ == "__main__":
    main()
