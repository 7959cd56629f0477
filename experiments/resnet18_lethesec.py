"""ResNet18-LetheSec: ResNet18 for small images, blended images and smoothed labels.

    python experiments/resnet18_lethesec.py

Question  What does the recipe behind the highest from-scratch figure reach, chosen on no test image?
Source    beyond the study: https://github.com/LetheSec/Fer2013-Facial-Emotion-Recognition-Pytorch, train.py. There
          73.70 % on PrivateTest by ten crops, the best of 300 epochs on just those images.
Differs   from the protocol: ResNet18 on crops of 40 x 40 pixels, moved, of changed contrast and erased; mixup,
          smoothed labels; SGD with Nesterov's momentum and decay, the rate by plateaus, batch of 128, 300 epochs.
Changed   from the source: no test image chooses anything, plateaus are those of the validation split's middle
          crops, and the last epoch's weights are judged (`fer-keras evaluate --tta ten-crop`). An image
          gives one crop a step, anywhere, instead of five, and is blended before all else instead of after it. It
          is zoomed by up to a tenth either way instead of cut to 80 to 100 % of its area; the contrast of every
          image changes instead of that and the brightness of half of them; what a move brings in repeats the
          border instead of being black; at most a fifth is erased instead of a third. Pixels are 0 to 1, there 0
          to 1/255; the mean is over all 5 x 5 places, there over 4 x 4; no second pass of unblended images moves
          the statistics of batch normalization. Weight decay is ten times the source's 0.0001, for Keras takes it
          off the weights beside the momentum, which there multiplies it by ten. Initial weights are drawn by He's
          rule.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="ResNet18-LetheSec",
    model="resnet_v1",
    model_options={"filters": (64, 128, 256, 512), "blocks": (2, 2, 2, 2)},
    augmentation=("contrast", "affine_half", "flip", "crop_40", "erasing"),
    mixup=1.0,
    label_smoothing=0.7 / 6,  # 0.1 for the six other classes, as there, is this share for all seven
    optimizer="sgd",
    optimizer_options={"momentum": 0.9, "nesterov": True, "weight_decay": 0.001},
    learning_rate=0.1,
    schedule="plateau",
    epochs=300,
)

if __name__ == "__main__":
    main()
