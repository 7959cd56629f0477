"""5-Layer-Down-NN: five layers, each half as wide as the one before.

    python experiments/nn_5_layer_down.py

Question  Does a deeper network gain anything?
Source    study, step 5.
Differs   from 3-1024-Layer-Down-NN: two layers more, down to 64 units.
Result    test accuracy 36.42 ± 2.07 %, validation 35.94 ± 2.12 %, gap 1.60 ± 2.31 points (4 seeds); 0.9
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="5-Layer-Down-NN",
    model_options={"units": (1024, 512, 256, 128, 64)},
)

if __name__ == "__main__":
    main()
