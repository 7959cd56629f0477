"""One run from data to record: pipeline, run directory, wandb, plots, release."""
