"""Keras models from configurations that were parsed already: Keras' own way in takes files only."""

import copy

import keras
from keras.src.backend.common import global_state
from keras.src.saving.serialization_lib import ObjectSharingScope


def build(config: dict) -> keras.Model:
    """Return the model of `config`, with its initial weights; `config` itself stays as it is."""
    with ObjectSharingScope():  # as Keras does when it loads a file: layers of one shared_object_id are one
        return keras.saving.deserialize_keras_object(copy.deepcopy(config), safe_mode=True)


def build_without_weights(config: dict) -> keras.Model:
    """Return the model of `config` with the shapes of its weights, but no memory for them."""
    before = global_state.get_global_attribute("uninitialized_variables")
    global_state.set_global_attribute("uninitialized_variables", [])
    try:
        with keras.StatelessScope(initialize_variables=False):
            return build(config)
    finally:  # else the next scope would give the weights memory after all
        global_state.set_global_attribute("uninitialized_variables", before)
