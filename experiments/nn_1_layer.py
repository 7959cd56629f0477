"""1-Layer-NN: one hidden layer, 1024 wide.

    python experiments/nn_1_layer.py

Question  How deep should a fully connected network be?
Source    study, step 1. The report leaves the batch of steps 1 and 2 open; since step 3 names its 128, these
          take 64.
Differs   from the protocol: one hidden layer instead of three; batches of 64.
Result    test accuracy 36.95 ± 1.11 %, validation 36.27 ± 0.54 %, gap 2.18 ± 0.44 points (4 seeds); 14.9
          minutes on Intel(R) Xeon(R) Processor, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="1-Layer-NN",
    model_options={"units": (1024,)},
    batch_size=64,
)

if __name__ == "__main__":
    main()
