import subprocess
import sys

import keras
import numpy as np
import pytest

from fer_keras.backend import layers

TORCH = keras.backend.backend() == "torch"
torch_only = pytest.mark.skipif(not TORCH, reason="gradients are taken with PyTorch")

CASES = [
    ("Conv2D", {"filters": 5, "kernel_size": 3, "padding": "same"}, (2, 7, 5, 3)),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "padding": "same", "activation": "relu"}, (2, 6, 6, 1)),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "padding": "same", "strides": 2}, (2, 8, 7, 3)),
    ("Conv2D", {"filters": 4, "kernel_size": (2, 4), "padding": "same", "use_bias": False}, (2, 5, 6, 1)),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "padding": "same", "dilation_rate": 2}, (2, 7, 6, 2)),
    ("Conv2D", {"filters": 4, "kernel_size": (3, 2), "strides": (2, 1)}, (2, 8, 7, 3)),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "groups": 2, "padding": "same"}, (2, 5, 5, 6)),
    ("Conv2D", {"filters": 3, "kernel_size": 3, "data_format": "channels_first"}, (2, 3, 6, 5)),
    ("AveragePooling2D", {"pool_size": 2}, (2, 7, 5, 3)),
    ("AveragePooling2D", {"pool_size": 3, "strides": 2}, (2, 9, 8, 4)),
    ("AveragePooling2D", {"pool_size": 3, "strides": 2, "padding": "same"}, (2, 9, 8, 4)),
    ("MaxPooling2D", {"pool_size": 2}, (2, 7, 5, 3)),
    ("MaxPooling2D", {"pool_size": 2}, (2, 6, 6, 1)),
    ("MaxPooling2D", {"pool_size": 3, "strides": 2}, (2, 9, 8, 4)),
    ("MaxPooling2D", {"pool_size": 3, "strides": 2, "padding": "same"}, (2, 9, 8, 4)),
    ("BatchNormalization", {}, (4, 5, 3, 6)),
    ("BatchNormalization", {"momentum": 0.9, "epsilon": 1e-5}, (4, 6, 6, 1)),
    ("BatchNormalization", {"center": False}, (8, 5)),
    ("BatchNormalization", {"scale": False, "center": False}, (3, 7, 4)),
    ("BatchNormalization", {"axis": 1}, (3, 4, 5, 2)),
    ("BatchNormalization", {"renorm": True}, (4, 5, 3, 6)),
    ("BatchNormalization", {"trainable": False}, (4, 5, 3, 6)),
    ("ReLU", {}, (4, 5, 3, 6)),
    ("ReLU", {"max_value": 1.0}, (4, 6)),
    ("ReLU", {"negative_slope": 0.25}, (4, 6)),
]


def pair(name, options, shape, dtype="float32"):
    """Our layer and Keras' with the same weights, neither zero nor one."""
    ours, theirs = (getattr(module, name)(**options, dtype=dtype) for module in (layers, keras.layers))
    random = np.random.default_rng(0)
    for layer in (ours, theirs):
        layer.build(shape)
    weights = [random.uniform(0.5, 1.5, w.shape).astype("float32") for w in theirs.get_weights()]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    return ours, theirs


def step(layer, inputs, training):
    """Outputs, gradients of a weighted sum of them, and weights after the call."""
    import torch

    x = torch.tensor(inputs, requires_grad=True)
    y = layer(x, training=training) if name_of(layer) == "BatchNormalization" else layer(x)
    weights = torch.arange(y.numel(), dtype=torch.float32).reshape(y.shape).sin()
    variables = [v.value for v in layer.trainable_variables]
    gradients = torch.autograd.grad((y.float() * weights).sum(), [x, *variables])
    return [y.detach().float(), *gradients, *(w.value.detach() for w in layer.weights)]


def name_of(layer):
    return type(layer).__name__


def normal(shape, seed=1):
    return (2 * np.random.default_rng(seed).standard_normal(shape) + 0.5).astype("float32")


@torch_only
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name, options, shape", CASES)
def test_layer_equals_keras_layer(name, options, shape, training):
    ours, theirs = pair(name, options, shape)
    assert isinstance(ours, type(theirs)) and ours.get_config().keys() == theirs.get_config().keys()
    for mine, other in zip(
        step(ours, normal(shape), training), step(theirs, normal(shape), training), strict=True
    ):
        assert mine.shape == other.shape and mine.dtype == other.dtype
        np.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=1e-5, atol=1e-5)


@torch_only
@pytest.mark.parametrize("name, options, shape", CASES)
def test_layer_is_close_in_bfloat16(name, options, shape):
    ours, theirs = pair(name, options, shape, "mixed_bfloat16")
    for mine, other in zip(step(ours, normal(shape), True), step(theirs, normal(shape), True), strict=True):
        assert mine.dtype == other.dtype
        np.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=0.05, atol=0.02 * float(other.abs().max()))


@pytest.mark.parametrize("name, options, shape", CASES)
def test_without_torch_a_layer_is_keras_own(monkeypatch, name, options, shape):
    if keras.backend.backend() == "tensorflow" and options.get("data_format") == "channels_first":
        pytest.skip("TensorFlow without oneDNN takes channels last only")
    ours, theirs = pair(name, options, shape)
    monkeypatch.setattr(layers, "torch", None)
    mine, other = (keras.ops.convert_to_numpy(layer(normal(shape))) for layer in (ours, theirs))
    np.testing.assert_array_equal(mine, other)


def test_batch_statistics_by_hand():
    layer = layers.BatchNormalization(momentum=0.75, epsilon=0.0)
    outputs = keras.ops.convert_to_numpy(layer(np.array([[1.0], [3.0]], "float32"), training=True))
    np.testing.assert_allclose(outputs, [[-1.0], [1.0]], atol=1e-6)
    # Mean 2 and biased variance 1: 0.75 * 0 + 0.25 * 2 and 0.75 * 1 + 0.25 * 1.
    moving_mean, moving_variance = layer.get_weights()[2:]
    np.testing.assert_allclose([moving_mean[0], moving_variance[0]], [0.5, 1.0], atol=1e-6)


@torch_only
def test_kernel_lies_in_memory_as_the_convolution_wants_it():
    layer = layers.Conv2D(4, (3, 2))
    layer.build((None, 6, 6, 5))
    values = normal((3, 2, 5, 4))
    layer.kernel.assign(values)
    assert layer.kernel.value.permute(3, 0, 1, 2).is_contiguous()
    np.testing.assert_array_equal(layer.get_weights()[0], values)


@torch_only
@pytest.mark.parametrize("channels", [2, 3, 4, 8, 15, 16])
def test_strided_convolution_of_single_pixels_by_hand(channels):
    """With few channels the gradient of oneDNN's own strided convolution writes beyond its buffer."""
    import torch

    layer = layers.Conv2D(4, 1, strides=2)
    images = torch.rand(8, 48, 48, channels, requires_grad=True)
    outputs = layer(images)
    kernel = layer.kernel.value.reshape(channels, 4)
    torch.testing.assert_close(outputs, images[:, ::2, ::2] @ kernel)
    outputs.sum().backward()
    expected = torch.zeros_like(images)
    expected[:, ::2, ::2] = kernel.sum(dim=1)
    torch.testing.assert_close(images.grad, expected)


@torch_only
def test_relu_writes_over_its_input():
    import torch

    x = torch.tensor([-1.0, 2.0])
    y = layers.ReLU()(x)
    assert y.data_ptr() == x.data_ptr() and y.tolist() == [0.0, 2.0]


@torch_only
def test_relu_does_not_spoil_a_gradient_in_silence():
    import torch

    x = torch.tensor([-1.0, 2.0], requires_grad=True)
    y = layers.ReLU()(x.tanh())  # whose gradient is 1 - tanh², from its output
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def dropped(rate, shape=(64, 9, 9, 7), seed=3, dtype="float32"):
    layer = layers.Dropout(rate, seed=seed, dtype=dtype)
    return layer, keras.ops.convert_to_numpy(keras.ops.cast(layer(np.ones(shape), training=True), "float32"))


def test_dropout_keeps_the_share_it_says_and_the_mean():
    for rate in (1e-9, 0.1, 0.25, 0.5, 0.9):
        outputs = dropped(rate)[1]
        assert set(np.unique(outputs)) <= {np.float32(0), np.float32(1 / (1 - rate))}
        # 36,288 draws: five standard deviations are 5 * sqrt(rate * (1 - rate) / 36288) <= 0.0132.
        assert abs(np.mean(outputs == 0) - rate) < 0.0132


@torch_only
def test_dropout_scales_exactly_once_in_the_gradient():
    import torch

    x = torch.ones(50, 50, requires_grad=True)
    y = layers.Dropout(0.5, seed=1)(x, training=True)
    assert torch.equal(torch.autograd.grad(y.sum(), x)[0], y)


def test_dropout_repeats_and_resumes_from_its_state():
    layer, first = dropped(0.5)
    state = keras.ops.convert_to_numpy(layer.seed_generator.state.value)
    second = keras.ops.convert_to_numpy(layer(np.ones(first.shape), training=True))
    assert not np.array_equal(first, second)
    again, repeated = dropped(0.5)
    np.testing.assert_array_equal(first, repeated)
    again.seed_generator.state.assign(state)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(again(np.ones(first.shape), training=True)), second)


def test_dropout_without_seed_follows_the_global_one():
    def mask():
        keras.utils.set_random_seed(5)
        return keras.ops.convert_to_numpy(layers.Dropout(0.5)(np.ones((9, 9)), training=True))

    np.testing.assert_array_equal(mask(), mask())


def test_dropout_leaves_inference_and_extreme_rates_to_keras():
    x = np.ones((4, 4), "float32")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layers.Dropout(0.5)(x)), x)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layers.Dropout(0.0)(x, training=True)), x)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layers.Dropout(1.0)(x, training=True)), 0 * x)
    rows = keras.ops.convert_to_numpy(layers.Dropout(0.5, noise_shape=(4, 1), seed=1)(x, training=True))
    assert (rows == rows[:, :1]).all()


def small_model(module, dtype="float32"):
    inputs = keras.Input((9, 8, 1), dtype="uint8")
    x = normalization = keras.layers.Normalization(axis=None)
    normalization.adapt(np.arange(72, dtype="float32"))
    x = normalization(inputs)
    stage = keras.Sequential([keras.Input((9, 8, 1)), module.Conv2D(4, 3, padding="same"), module.MaxPooling2D()])
    x = module.ReLU()(module.BatchNormalization(dtype=dtype)(stage(x)))
    x = module.Dropout(0.5)(keras.layers.Flatten()(x))
    x = keras.layers.Dense(6)(x)
    return keras.Model(inputs, keras.layers.Dense(7)(x))


def test_layers_are_named_as_keras_names_them():
    names = []
    for module in (layers, keras.layers):
        keras.utils.clear_session()
        names.append([layer.name for layer in small_model(module).layers])
    assert names[0] == names[1]


def test_plain_model_is_keras_alone_and_predicts_the_same():
    model = small_model(layers)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    images = np.random.default_rng(0).integers(0, 256, (16, 9, 8, 1), dtype=np.uint8)
    model.fit(images, np.arange(16) % 7, epochs=2, verbose=0)
    copy = layers.plain(model)
    assert "fer_keras" not in copy.to_json()
    assert [layer.name for layer in copy.layers] == [layer.name for layer in model.layers]
    np.testing.assert_allclose(copy.predict(images, verbose=0), model.predict(images, verbose=0), atol=1e-5)


@torch_only
def test_stateless_call_returns_the_new_statistics_and_leaves_the_model():
    model = small_model(layers)
    before = [v.numpy().copy() for v in model.variables]
    images = keras.ops.convert_to_tensor(np.random.default_rng(0).integers(0, 256, (8, 9, 8, 1), dtype=np.uint8))
    trainable, frozen = model.trainable_variables, model.non_trainable_variables
    _, states = model.stateless_call(
        [v.value for v in trainable], [v.value for v in frozen], images, training=True
    )
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    changed = {v.path for v, s in zip(frozen, states, strict=True) if (v.value != s).any()}
    assert {path.rsplit("/")[-1] for path in changed} == {"moving_mean", "moving_variance", "seed_generator_state"}


@torch_only
def test_training_repeats_by_seed():
    def weights():
        keras.utils.set_random_seed(3)
        model = small_model(layers)
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        images = np.random.default_rng(0).integers(0, 256, (32, 9, 8, 1), dtype=np.uint8)
        model.fit(images, np.arange(32) % 7, batch_size=8, verbose=0)
        return model.get_weights()

    for first, second in zip(weights(), weights(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_saved_model_comes_back_with_our_layers(tmp_path):
    model = small_model(layers)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert [type(layer) for layer in loaded.layers] == [type(layer) for layer in model.layers]


@pytest.mark.slow
def test_plain_model_loads_without_this_package(tmp_path):
    model = small_model(layers)
    images = np.random.default_rng(0).integers(0, 256, (4, 9, 8, 1), dtype=np.uint8)
    layers.plain(model).save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", images)
    script = (
        "import sys; sys.modules['fer_keras'] = None\n"
        "import keras, numpy as np\n"
        "model = keras.saving.load_model('model.keras')\n"
        "np.save('predictions.npy', model.predict(np.load('images.npy'), verbose=0))\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    predictions = np.load(tmp_path / "predictions.npy")
    np.testing.assert_allclose(predictions, model.predict(images, verbose=0), atol=1e-5)
