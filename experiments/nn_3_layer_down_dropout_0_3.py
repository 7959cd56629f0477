"""3-Layer-Down-Dropout-0.3-NN: dropout of 0.3.

    python experiments/nn_3_layer_down_dropout_0_3.py

Question  What does dropout do, alone and together with BatchNorm?
Source    study, step 4.
Differs   from 3-1024-Layer-Down-NN: dropout of 0.3 after each hidden layer.
Result    test accuracy 34.38 ± 1.93 %, validation 33.56 ± 1.06 %, gap -1.39 ± 0.68 points (4 seeds); 0.9
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-Layer-Down-Dropout-0.3-NN",
    model_options={"units": (1024, 512, 256), "dropout": 0.3},
)

if __name__ == "__main__":
    main()
