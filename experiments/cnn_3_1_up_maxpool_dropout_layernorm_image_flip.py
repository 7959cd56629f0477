"""3-1-Up-Maxpool-Dropout-Layernorm-CNN-image-flip: mirrored faces.

    python experiments/cnn_3_1_up_maxpool_dropout_layernorm_image_flip.py

Question  What do mirrored faces do to the gap between training and validation?
Source    study, step 10.
Differs   from 3-1-Up-Maxpool-Dropout-Layernorm-CNN: half of the training images mirrored, at random.
Result    test accuracy 57.95 ± 0.71 %, validation 57.74 ± 0.94 %, gap 13.43 ± 1.37 points (4 seeds); 7.0
          minutes on AMD EPYC, 1 thread, torch 2.13.0+cpu, mixed_bfloat16.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="3-1-Up-Maxpool-Dropout-Layernorm-CNN-image-flip",
    model="cnn",
    model_options={"normalization": "layer", "dropout": 0.3},
    normalization=True,
    augmentation=("flip",),
)

if __name__ == "__main__":
    main()
