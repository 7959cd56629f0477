"""3-Layer-Down-Dropout-0.3-Layernorm-NN-adam-l2: LayerNorm in place of BatchNorm.

    python experiments/nn_3_layer_down_dropout_0_3_layernorm_adam_l2.py

Question  Which combination of what came before is the best fully connected network?
Source    study, step 7.
Differs   from 3-Layer-Down-Dropout-0.3-Batchnorm-NN-adam-l2: LayerNorm.
Result    test accuracy 41.17 ± 1.13 %, validation 40.65 ± 1.48 %, gap 3.30 ± 1.40 points (4 seeds); 1.4
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-Layer-Down-Dropout-0.3-Layernorm-NN-adam-l2",
    model_options={"units": (1024, 512, 256), "normalization": "layer", "dropout": 0.3, "l2": 1e-4},
    normalization=True,
)

if __name__ == "__main__":
    main()
