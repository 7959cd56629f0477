"""`python -m fer_keras` is `fer-keras`."""

from fer_keras.cli import cli

cli(prog_name="fer-keras")
