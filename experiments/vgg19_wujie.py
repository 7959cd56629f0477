"""VGG19-WuJie: the most copied from-scratch recipe for FER-2013.

    python experiments/vgg19_wujie.py

Question  What does VGG19 with batch normalization and random crops reach, chosen on no test image?
Source    beyond the study: https://github.com/WuJie1010/Facial-Expression-Recognition.Pytorch, mainpro_FER.py.
          There 71.5 % on PublicTest, the best of 250 epochs on just those images, each judged by ten crops.
Differs   from the protocol: VGG19 on crops of 44 x 44 pixels, SGD with momentum, decay and clipped gradients, the
          rate in steps, batch of 128, 250 epochs.
Changed   from the source: no test image chooses anything, the last epoch's weights are judged, with
          `--tta ten-crop`. One grey channel instead of three equal ones. Weight decay is ten times
          the source's 0.0005, for Keras takes it off the weights beside the momentum, which there multiplies it
          by ten. Initial weights are Keras'.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="VGG19-WuJie",
    model="vgg",
    model_options={"filters": (64, 128, 256, 512, 512), "repeats": (2, 2, 4, 4, 4), "dropout": 0.5},
    augmentation=("crop_44", "flip"),
    optimizer="sgd",
    optimizer_options={"momentum": 0.9, "weight_decay": 0.005, "clipvalue": 0.1},
    learning_rate=0.01,
    schedule="steps",
    epochs=250,
)

if __name__ == "__main__":
    main()
