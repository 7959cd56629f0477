"""3-2-Up-Maxpool-Dropout-Layernorm-CBatchnorm-CNN: one convolution a stage, by the recipe of the best run.

    python experiments/cnn_3_2_up_maxpool_dropout_layernorm_cbatchnorm.py

Question  Which convolutional network is the best?
Source    study, step 12. This step's candidates train by one recipe, that of 3-2-Best, so that architectures are
          compared.
Differs   from 3-2-Best: one convolution a stage; no dropout after the stages, 0.3 after the dense layers.
Result    test accuracy 57.45 ± 0.56 %, validation 57.10 ± 1.92 %, gap 5.60 ± 2.18 points (3 seeds of the
          pilot); 4.4 minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-2-Up-Maxpool-Dropout-Layernorm-CBatchnorm-CNN",
    model="cnn",
    model_options={
        "units": (256, 128),
        "normalization": "layer",
        "dropout": 0.3,
        "convolution_normalization": "batch",
    },
    normalization=True,
    augmentation=("flip",),
    learning_rate=2e-3,
    schedule="one_cycle",
    batch_size=64,
)

if __name__ == "__main__":
    main()
