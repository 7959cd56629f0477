"""The study: its plan, its runs, and how its findings are judged."""

from fer_keras.study.plan import CNN_BEST, FINDINGS, FIRST_SEED, LOOKS, NN_BEST, STEPS, Finding, Step

__all__ = ["CNN_BEST", "FINDINGS", "FIRST_SEED", "LOOKS", "NN_BEST", "STEPS", "Finding", "Step"]
