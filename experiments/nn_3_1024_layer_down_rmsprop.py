"""3-1024-Layer-Down-NN-rmsprop: RMSprop.

    python experiments/nn_3_1024_layer_down_rmsprop.py

Question  Which optimizer, and what do input normalization, L2 and the learning rate change?
Source    study, step 6.
Differs   from 3-1024-Layer-Down-NN: RMSprop, with PyTorch's decay of 0.99 and epsilon of 1e-8 after the root,
          which is 1e-16 under it, where Keras adds it.
Result    test accuracy 35.68 ± 2.75 %, validation 34.89 ± 3.99 %, gap 2.14 ± 3.90 points (4 seeds); 2.2
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1024-Layer-Down-NN-rmsprop",
    model_options={"units": (1024, 512, 256)},
    optimizer="rmsprop",
    optimizer_options={"rho": 0.99, "epsilon": 1e-16},
)

if __name__ == "__main__":
    main()
