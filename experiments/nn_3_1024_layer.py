"""3-1024-Layer-NN: three hidden layers, 1024 wide.

    python experiments/nn_3_1024_layer.py

Question  How deep should a fully connected network be?
Source    study, step 1.
Differs   from 1-Layer-NN: two hidden layers more. From the protocol: batches of 64.
Result    test accuracy 36.49 ± 0.58 %, validation 35.67 ± 1.03 %, gap 1.35 ± 1.29 points (4 seeds); 17.5
          minutes on Intel(R) Xeon(R) Processor, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1024-Layer-NN",
    batch_size=64,
)

if __name__ == "__main__":
    main()
