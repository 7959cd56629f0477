"""3-Layer-Down-NN-rmsprop: RMSprop on normalized faces.

    python experiments/nn_3_layer_down_rmsprop.py

Question  Which optimizer, and what do input normalization, L2 and the learning rate change?
Source    study, step 6.
Differs   from 3-1024-Layer-Down-NN-rmsprop: input normalization.
Result    test accuracy 44.16 ± 1.17 %, validation 41.85 ± 0.60 %, gap 30.79 ± 0.85 points (4 seeds); 1.4
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-Layer-Down-NN-rmsprop",
    model_options={"units": (1024, 512, 256)},
    normalization=True,
    optimizer="rmsprop",
    optimizer_options={"rho": 0.99, "epsilon": 1e-16},
)

if __name__ == "__main__":
    main()
