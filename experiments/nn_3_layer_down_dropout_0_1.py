"""3-Layer-Down-Dropout-0.1-NN: dropout of 0.1.

    python experiments/nn_3_layer_down_dropout_0_1.py

Question  What does dropout do, alone and together with BatchNorm?
Source    study, step 4.
Differs   from 3-1024-Layer-Down-NN: dropout of 0.1 after each hidden layer.
Result    test accuracy 37.20 ± 1.07 %, validation 36.71 ± 1.27 %, gap -0.16 ± 1.50 points (4 seeds); 0.9
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-Layer-Down-Dropout-0.1-NN",
    model_options={"units": (1024, 512, 256), "dropout": 0.1},
)

if __name__ == "__main__":
    main()
