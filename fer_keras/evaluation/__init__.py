"""Scores of predictions, and of trained networks on labelled images.

from fer_keras import evaluation

result = evaluation.evaluate("model.keras", "fer2013.csv", tta="flip")
print(result.scores["accuracy"])
print(result.table())
"""

from fer_keras.evaluation.evaluating import Evaluation, describe_data, evaluate, evaluate_split
from fer_keras.evaluation.metrics import risk_coverage, risk_coverage_table, scores, table
from fer_keras.evaluation.overfit import chance_loss, overfit_verdict, zero_loss

__all__ = [
    "Evaluation",
    "chance_loss",
    "describe_data",
    "evaluate",
    "evaluate_split",
    "overfit_verdict",
    "risk_coverage",
    "risk_coverage_table",
    "scores",
    "table",
    "zero_loss",
]
