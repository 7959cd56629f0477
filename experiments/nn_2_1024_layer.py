"""2-1024-Layer-NN: two hidden layers, 1024 wide.

    python experiments/nn_2_1024_layer.py

Question  How deep should a fully connected network be?
Source    study, step 1.
Differs   from 1-Layer-NN: one hidden layer more.
Result    test accuracy 37.49 ± 1.17 %, validation 36.80 ± 0.35 %, gap 1.20 ± 0.57 points (4 seeds); 17.3
          minutes on Intel(R) Xeon(R) Processor, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="2-1024-Layer-NN",
    model_options={"units": (1024, 1024)},
    batch_size=64,
)

if __name__ == "__main__":
    main()
