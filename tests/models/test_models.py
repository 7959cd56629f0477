"""Architectures: shapes, parameters counted on paper, and that every weight takes part in training."""

import re

import keras
import numpy as np
import pytest

from fer_keras import models
from fer_keras.core.errors import InputError
from fer_keras.models.preprocessing import preprocessing

SMALL_NN = {"units": (8, 6)}
SMALL_RESNET = {"filters": (4, 6), "blocks": (1, 1)}
SMALL_CNN = {"filters": (4, 6), "units": (8,)}
SMALL_VGG = {"filters": (4, 6), "repeats": (1, 2)}
VGG19 = {"filters": (64, 128, 256, 512, 512), "repeats": (2, 2, 4, 4, 4)}
RESNET18 = {"filters": (64, 128, 256, 512), "blocks": (2, 2, 2, 2)}
EVERYTHING = {"normalization": "batch", "activation": "leaky_relu", "dropout": 0.3, "l2": 1e-3}

# (model, options): every option at least once, and those of the study's best runs together.
VARIANTS = [
    ("nn", SMALL_NN),
    ("nn", SMALL_NN | {"normalization": "layer"}),
    ("nn", SMALL_NN | EVERYTHING),
    ("cnn", SMALL_CNN),
    ("cnn", SMALL_CNN | {"max_pooling": False, "filters": (2,)}),
    ("cnn", SMALL_CNN | {"repeats": 2, "residual": True}),
    ("cnn", SMALL_CNN | {"convolution_normalization": "layer", "normalization": "layer"}),
    (
        "cnn",
        SMALL_CNN
        | EVERYTHING
        | {"repeats": 2, "residual": True, "convolution_normalization": "batch", "convolution_dropout": 0.2},
    ),
    ("resnet", SMALL_RESNET),
    ("resnet", SMALL_RESNET | {"blocks": (2, 1), "stem_stride": 1, "squeeze": 2, "dropout": 0.3, "l2": 1e-3}),
    ("resnet", SMALL_RESNET | {"stem_filters": (3,), "block_dropout": 0.2}),
    ("resnet", SMALL_RESNET | {"stem_filters": (3,), "average_pooling": True}),
    ("resnet_v1", SMALL_RESNET),
    ("vgg", SMALL_VGG | {"dropout": 0.3}),
    ("vgg", SMALL_VGG | {"units": (8, 5), "dropout": 0.3}),
]


def build(name, options):
    keras.utils.set_random_seed(0)
    return models.build(name, options, [keras.layers.Rescaling(1 / 255)])


def images(n=8):
    return np.random.default_rng(0).integers(0, 256, (n, 48, 48, 1)).astype("uint8")


def names(model):
    return [layer.name for layer in model.layers]


# conv: 9 x in x out + out; dense: in x out + out; normalization: 2 trained (and, for batch, 2 moving) a channel.
@pytest.mark.parametrize(
    "name, options, parameters",
    [
        ("nn", {}, 2304 * 1024 + 1024 + 2 * (1024 * 1024 + 1024) + 1024 * 7 + 7),
        ("nn", {"units": (1024,)}, 2304 * 1024 + 1024 + 1024 * 7 + 7),
        ("nn", {"units": (8,), "normalization": "batch"}, 2304 * 8 + 8 + 4 * 8 + 8 * 7 + 7),
        ("nn", {"units": (8,), "normalization": "layer"}, 2304 * 8 + 8 + 2 * 8 + 8 * 7 + 7),
        ("nn", {"units": ()}, 2304 * 7 + 7),
        ("cnn", {}, 320 + 18_496 + 73_856 + (6 * 6 * 128 * 256 + 256) + (256 * 7 + 7)),
        ("cnn", {"filters": (2,), "max_pooling": False, "units": ()}, 9 * 2 + 2 + 48 * 48 * 2 * 7 + 7),
        ("cnn", {"filters": (2,), "repeats": 3, "units": ()}, 20 + 2 * (9 * 4 + 2) + 24 * 24 * 2 * 7 + 7),
        ("cnn", {"filters": (2,), "residual": True, "units": ()}, 20 + (2 + 2) + 24 * 24 * 2 * 7 + 7),
        ("cnn", {"filters": (1,), "residual": True, "units": ()}, 10 + 24 * 24 * 7 + 7),
        (
            "cnn",
            {"filters": (2,), "units": (3,), "convolution_normalization": "batch", "normalization": "layer"},
            20 + 8 + (24 * 24 * 2 * 3 + 3) + 6 + 3 * 7 + 7,
        ),
        # stem; first block: two normalizations and convolutions; second: the same and a shortcut; the last
        (
            "resnet",
            SMALL_RESNET,
            36 * 4 + 2 * (16 + 9 * 16) + (16 + 9 * 24 + 24 + 9 * 36 + 24) + 24 + 6 * 7 + 7,
        ),
        # a normalized convolution before the stem, whose kernel is 3x3 then
        (
            "resnet",
            {"filters": (4,), "blocks": (1,), "stem_filters": (3,)},
            (9 * 3 + 12) + 27 * 4 + 2 * (16 + 9 * 16) + 16 + 4 * 7 + 7,
        ),
        # squeeze-and-excitation: two dense layers with biases
        (
            "resnet",
            {"filters": (4,), "blocks": (1,), "stem_stride": 1, "squeeze": 2},
            9 * 4 + 2 * (16 + 9 * 16) + (4 * 2 + 2 + 2 * 4 + 4) + 16 + 4 * 7 + 7,
        ),
        # experiments/resnet_wide.py: the stems; six blocks in stages of 88, 176 and 352 channels; the last
        (
            "resnet",
            {"stem_filters": (32,), "filters": (88, 176, 352), "blocks": (2, 2, 2)},
            (9 * 32 + 128 + 9 * 32 * 88)
            + 4 * (352 + 9 * 88**2)
            + (352 + 9 * 88 * 176 + 88 * 176)
            + 3 * (704 + 9 * 176**2)
            + (704 + 9 * 176 * 352 + 176 * 352)
            + 3 * (1408 + 9 * 352**2)
            + 1408
            + 352 * 7
            + 7,
        ),
        # a normalization after every convolution, that of the shortcut too
        (
            "resnet_v1",
            SMALL_RESNET,
            (36 + 16) + 2 * (9 * 16 + 16) + (9 * 24 + 24) + (9 * 36 + 24) + (24 + 24) + 6 * 7 + 7,
        ),
        # 11,173,962 of https://github.com/kuangliu/pytorch-cifar's with two input channels and three classes less;
        # a mean and a variance of each of 4,800 normalized channels
        ("resnet_v1", RESNET18, 11_173_962 - 2 * 9 * 64 - 3 * 513 + 2 * 4800),
        (
            "vgg",
            SMALL_VGG | {"units": (5,)},
            (40 + 16) + (9 * 24 + 6 + 24) + (9 * 36 + 6 + 24) + (12 * 12 * 6 * 5 + 5) + 5 * 7 + 7,
        ),
        # 20,024,384 in the convolutions of arXiv:1409.1556's E, with two input channels less; 5,504 normalized
        ("vgg", VGG19, 20_024_384 - 2 * 9 * 64 + 4 * 5504 + 512 * 7 + 7),
    ],
)
def test_number_of_parameters(name, options, parameters):
    assert build(name, options).count_params() == parameters


@pytest.mark.parametrize("name", models.MODELS)
def test_default_model_maps_raw_images_to_finite_logits(name):
    logits = keras.ops.convert_to_numpy(build(name, {})(images(2)))
    assert logits.shape == (2, 7) and logits.dtype == "float32" and np.isfinite(logits).all()
    assert (logits < 0).any()


@pytest.mark.parametrize("name, options", VARIANTS)
def test_one_step_moves_every_trainable_variable(name, options):
    model = build(name, options)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = [keras.ops.convert_to_numpy(v).copy() for v in model.trainable_variables]
    model.train_on_batch(images(), np.arange(8) % 7)
    still = [
        v.path
        for v, old in zip(model.trainable_variables, before, strict=True)
        if (keras.ops.convert_to_numpy(v) == old).all()
    ]
    assert still == []


def test_option_reaches_its_layers():
    model = build("nn", {"units": (8,)} | EVERYTHING)
    assert names(model)[2:] == [
        *("flatten", "dense_1", "dense_1_batchnorm", "dense_1_leaky_relu", "dense_1_dropout", "logits")
    ]
    assert model.get_layer("dense_1_dropout").rate == 0.3
    assert [v.path for v in model.trainable_variables if "kernel" in v.path] == ["dense_1/kernel", "logits/kernel"]


def test_stages_of_a_residual_convolutional_network():
    model = build(
        "cnn", {"filters": (4, 4), "repeats": 2, "residual": True, "convolution_dropout": 0.1, "units": ()}
    )
    assert names(model)[2:] == [
        *("conv_1_1", "conv_1_1_relu", "conv_1_2", "conv_1_shortcut", "add_1", "conv_1_2_relu"),
        *("pool_1", "conv_1_dropout"),
        *("conv_2_1", "conv_2_1_relu", "conv_2_2", "add_2", "conv_2_2_relu", "pool_2", "conv_2_dropout"),
        *("flatten", "logits"),
    ]
    assert model.get_layer("pool_2").output.shape == (None, 12, 12, 4)


def test_residual_stage_without_its_convolution_is_the_identity():
    model = build("cnn", {"filters": (1,), "residual": True, "units": (), "max_pooling": False})
    model.get_layer("conv_1_1").set_weights([np.zeros((3, 3, 1, 1)), np.zeros(1)])
    stage = keras.Model(model.input, model.get_layer("conv_1_1_relu").output)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(stage(images(2))), images(2) / 255, atol=1e-6)


def test_l2_penalty_is_the_factor_times_the_squared_kernels():
    model = build("cnn", {"filters": (2,), "units": (3,), "l2": 0.5})
    kernels = [v for v in model.trainable_variables if v.path.endswith("kernel")]
    assert len(kernels) == 3
    expected = 0.5 * sum(np.sum(keras.ops.convert_to_numpy(v).astype("float64") ** 2) for v in kernels)
    assert float(keras.ops.convert_to_numpy(sum(model.losses))) == pytest.approx(expected, rel=1e-5)
    assert build("cnn", {"filters": (2,), "units": (3,)}).losses == []


def test_pytorch_initialization_is_uniform_within_the_root_of_the_inputs():
    model = build("cnn", {"filters": (16, 16), "units": (8,), "initialization": "pytorch"})
    # 9 x 1 and 9 x 16 inputs of a convolution's unit; 12 x 12 x 16 and 8 of a dense one's.
    for name, fan_in in (("conv_1_1", 9), ("conv_2_1", 144), ("dense_1", 2304), ("logits", 8)):
        kernel, bias = (keras.ops.convert_to_numpy(v) for v in model.get_layer(name).weights)
        bound = fan_in**-0.5
        assert 0.8 * bound < abs(kernel).max() <= bound and abs(bias).max() <= bound
        assert len(set(bias.tolist())) == len(bias)
        assert kernel.std() == pytest.approx(bound / 3**0.5, rel=0.2)


def test_settings_of_normalization_and_leaky_relu_reach_their_layers():
    settings = {"momentum": 0.7, "epsilon": 0.1, "negative_slope": 0.2}
    model = build("cnn", SMALL_CNN | EVERYTHING | {"convolution_normalization": "layer"} | settings)
    assert model.get_layer("dense_1_batchnorm").momentum == 0.7
    assert model.get_layer("dense_1_batchnorm").epsilon == model.get_layer("conv_1_1_layernorm").epsilon == 0.1
    assert model.get_layer("conv_1_1_leaky_relu").negative_slope == 0.2


def test_resolved_options_hold_the_defaults():
    assert models.resolved_options("nn", {"units": (4,)}) == {
        "units": (4,),
        "normalization": None,
        "activation": "relu",
        "dropout": 0.0,
        "l2": 0.0,
        "initialization": "pytorch",
        "momentum": 0.9,
        "epsilon": 1e-5,
        "negative_slope": 0.01,
    }


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("vgg99", {}, "Unknown model 'vgg99'. Expected one of: cnn, nn, resnet, resnet_v1, vgg."),
        ("nn", {"unit": 3}, "Model 'nn' has no option 'unit'. Expected one of: units, normalization, activation,"),
        ("nn", {"x": 3}, "Model 'nn' has no option 'x'."),
        (
            "nn",
            {"normalization": "group"},
            "Unknown normalization 'group'. Expected one of: None, 'batch', 'layer'.",
        ),
        ("cnn", {"activation": "gelu"}, "Unknown activation 'gelu'. Expected one of: 'relu', 'leaky_relu'."),
        ("cnn", {"convolution_normalization": 1}, "Unknown normalization 1."),
        ("nn", {"initialization": "he"}, "Unknown initialization 'he'. Expected one of: 'keras', 'pytorch'."),
        ("nn", {"units": 1024}, "Model 'nn' cannot be built with units=1024: "),
        ("nn", {"units": (0,)}, "Model 'nn' cannot be built with units=(0,): "),
        ("nn", {"dropout": 1.5}, "Model 'nn' cannot be built with dropout=1.5: "),
        ("cnn", {"filters": (4,) * 7}, "Model 'cnn' cannot be built with filters=(4, 4, 4, 4, 4, 4, 4): "),
    ],
)
def test_what_does_not_fit_is_told(name, options, message):
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        build(name, options)
    assert "\n" not in str(caught.value)


def test_block_dropout_stands_between_the_two_convolutions_of_each_block():
    model = build("resnet", SMALL_RESNET | {"block_dropout": 0.25})
    dropouts = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert [layer.name for layer in dropouts] == ["block_1_1_dropout", "block_2_1_dropout"]
    for layer in dropouts:
        block = layer.name.removesuffix("_dropout")
        assert layer.rate == 0.25
        assert layer.input is model.get_layer(f"{block}_2_relu").output
        assert model.get_layer(f"{block}_conv_2").input is layer.output


def test_average_pooling_takes_the_place_of_every_stride_behind_the_stem_filters():
    options = SMALL_RESNET | {"stem_filters": (3,)}
    strided, pooled = (build("resnet", options | {"average_pooling": on}) for on in (False, True))
    pools = {layer.name for layer in pooled.layers if isinstance(layer, keras.layers.AveragePooling2D)}
    assert pools == {"stem_pool", "block_2_1_shortcut_pool", "block_2_1_conv_1_pool"}
    strides = [layer.strides for layer in pooled.layers if isinstance(layer, keras.layers.Conv2D)]
    assert set(strides) == {(1, 1)}
    assert [w.shape for w in pooled.get_weights()] == [w.shape for w in strided.get_weights()]
    assert pooled.get_layer("stem").output.shape == strided.get_layer("stem").output.shape == (None, 24, 24, 4)


def test_a_network_that_flattens_images_needs_them_of_one_size():
    layers = preprocessing(images(), normalization=False, augmentation=("train_crop_40",), seed=0)
    with pytest.raises(InputError, match="'train_crop_40' makes training images smaller .* Model 'nn' flattens"):
        models.build("nn", SMALL_NN, layers)


def test_a_network_learns_from_crops_and_classifies_whole_images():
    layers = preprocessing(images(), normalization=False, augmentation=("train_crop_40",), seed=0)
    model = models.build("resnet", SMALL_RESNET, layers)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(images(), np.zeros(8), verbose=0)
    means = keras.Model(model.input, model.get_layer("stem").output)
    assert means(images(), training=True).shape[1:3] == (20, 20)
    assert means(images()).shape[1:3] == (24, 24)
    assert model.get_layer("stem").output.shape == (None, 24, 24, 4)
