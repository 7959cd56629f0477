"""Build Keras models from parsed configurations; Keras' own loader takes files only."""

import copy

import keras
from keras.src.backend.common import global_state
from keras.src.saving.serialization_lib import ObjectSharingScope


def build(config: dict) -> keras.Model:
    """Return the model of `config` with its initial weights. `config` is not modified."""
    with ObjectSharingScope():  # as in Keras' loader: layers with one shared_object_id are one object
        return keras.saving.deserialize_keras_object(copy.deepcopy(config), safe_mode=True)


def build_without_weights(config: dict) -> keras.Model:
    """Return the model of `config` with the shapes of its weights, but no memory for them."""
    before = global_state.get_global_attribute("uninitialized_variables")
    global_state.set_global_attribute("uninitialized_variables", [])
    try:
        with keras.StatelessScope(initialize_variables=False):
            return build(config)
    finally:  # otherwise the next scope would allocate these weights
        global_state.set_global_attribute("uninitialized_variables", before)
