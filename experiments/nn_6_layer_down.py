"""6-Layer-Down-NN: six layers, each half as wide as the one before.

    python experiments/nn_6_layer_down.py

Question  Does a deeper network gain anything?
Source    study, step 5.
Differs   from 3-1024-Layer-Down-NN: three layers more, down to 32 units.
Result    test accuracy 36.26 ± 1.27 %, validation 35.90 ± 0.72 %, gap 1.03 ± 0.81 points (4 seeds); 0.9
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="6-Layer-Down-NN",
    model_options={"units": (1024, 512, 256, 128, 64, 32)},
)

if __name__ == "__main__":
    main()
