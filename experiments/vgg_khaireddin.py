"""VGG-Khaireddin: eight convolutions, two wide dense layers and strong augmentation.

    python experiments/vgg_khaireddin.py

Question  What does the recipe of Khaireddin and Chen reach, chosen on no test image?
Source    beyond the study: arXiv:2105.03588 and https://github.com/usef-kh/fer. There 73.06 % on PublicTest by ten
          crops with the epoch chosen on PrivateTest, and 73.28 % after training on PrivateTest too.
Differs   from the protocol: VGG of eight convolutions on crops of 40 x 40 pixels, moved and erased; SGD with
          Nesterov's momentum and decay, the rate by plateaus, batch of 64, 300 epochs.
Changed   from the source: no test image chooses anything, plateaus are those of the validation split's middle
          crops, and the last epoch's weights are judged (`fer-keras evaluate --tta ten-crop`). An image
          gives one crop a step, anywhere, instead of ten: a tenth of the computation. It is zoomed by up to a
          tenth either way instead of cut to 80 to 100 % of its area; what a move brings in repeats the border
          instead of being black; at most a fifth of it is erased instead of a third. Weight decay is ten times the
          source's 0.0001, for Keras takes it off the weights beside the momentum, which there multiplies it by
          ten. Initial weights are Keras'.
"""

from fer_keras import Experiment, main

experiment = Experiment(
    name="VGG-Khaireddin",
    model="vgg",
    model_options={
        "filters": (64, 128, 256, 512),
        "repeats": (2, 2, 2, 2),
        "units": (4096, 4096),
        "dropout": 0.2,
    },
    augmentation=("affine_half", "flip", "crop_40", "erasing"),
    optimizer="sgd",
    optimizer_options={"momentum": 0.9, "nesterov": True, "weight_decay": 0.001},
    learning_rate=0.01,
    schedule="plateau",
    batch_size=64,
    epochs=300,
)

if __name__ == "__main__":
    main()
