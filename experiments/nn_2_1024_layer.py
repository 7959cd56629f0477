"""2-1024-Layer-NN: two hidden layers, 1024 wide.

    python experiments/nn_2_1024_layer.py

Question  How deep should a fully connected network be?
Source    study, step 1.
Differs   from 1-Layer-NN: one hidden layer more.
Result    test accuracy 36.66 ± 0.93 %, validation 35.85 ± 0.84 %, gap 2.01 ± 0.81 points (3 seeds of the
          pilot); 1.5 minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="2-1024-Layer-NN",
    model_options={"units": (1024, 1024)},
    batch_size=64,
)

if __name__ == "__main__":
    main()
