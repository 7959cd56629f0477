"""3-Layer-Down-Dropout-0.5-NN: dropout of 0.5.

    python experiments/nn_3_layer_down_dropout_0_5.py

Question  What does dropout do, alone and together with BatchNorm?
Source    study, step 4.
Differs   from 3-1024-Layer-Down-NN: dropout of 0.5 after each hidden layer.
Result    test accuracy 26.06 ± 1.12 %, validation 26.05 ± 0.71 %, gap 1.32 ± 1.24 points (4 seeds); 0.9
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-Layer-Down-Dropout-0.5-NN",
    model_options={"units": (1024, 512, 256), "dropout": 0.5},
)

if __name__ == "__main__":
    main()
