"""Everything that depends on torch, JAX, TensorFlow or private names of Keras."""
