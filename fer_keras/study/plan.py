"""The study: its steps with their runs, the findings it claims, and the rule that judges them.

The report leaves some settings open. They are fixed as follows: batches of 64 in steps 1 and 2 and of 128 later;
L2 with factor 1e-4; every CNN with Adam and input normalization, and with L2 only if its name says so; dropout of
0.3 in every CNN with dropout. "Alike" and "little" mean differences below 2 points, a "large" generalization gap
more than 10 points, "sharply" and "far better" at least 3 points; a network is "not good" below 50 %.
docs/study.md gives the reasons.

The rule: seeds from `FIRST_SEED` on judge the findings; earlier ones are the pilot that shaped the rule.
Accuracies and generalization gaps are means of the last epochs. At each of `LOOKS`, the paired t interval of every
difference has confidence 1 - `LEVEL`, so that over all looks a false verdict has probability 0.05 (Pocock 1977).
The first look that decides a finding is final.
"""

import dataclasses
import math

FIRST_SEED = 3
# Seeds of each run, chosen by the simulation in benchmarks/looks.py: expected are 33.3 of 35 core-hours, 76 % of
# the findings decided, and 3.5 % false verdicts if no difference is real (60 simulations).
LOOKS = (4, 8, 12)
LEVEL = 0.0221  # of each of three looks
MATTERS = 0.01  # smaller differences, in either direction, do not matter

# Intervals in which a finding claims a difference. Accuracies and gaps are fractions: 0.02 is 2 points.
MORE, LESS = (0.0, math.inf), (-math.inf, 0.0)
ALIKE = (-0.02, 0.02)
NO_GAIN = (-math.inf, 0.01)
SHARPLY_LESS, FAR_MORE = (-math.inf, -0.03), (0.03, math.inf)
LARGE, SMALL = 0.10, 0.05  # generalization gaps
GOOD, NOT_GOOD = 0.60, 0.50  # accuracies

NN_BEST = "3-Layer-Down-Dropout-0.3-Batchnorm-NN-adam-l2"
CNN_FLIP = "3-1-Up-Maxpool-Dropout-Layernorm-CNN-image-flip"
CNN_3_2 = "3-2-Up-Maxpool-Dropout-Layernorm-CBatchnorm"
CNN_4_2 = "4-2-Up-Maxpool-Dropout-Layernorm"
CNN_BEST = "3-2-Best"
SWEEP_BEST = "3-2-Sweep-Best"  # the sweep's winner, run like every other


@dataclasses.dataclass(frozen=True)
class Step:
    """One step of the study.

    Args:
        number: from 1.
        question: of the step.
        claim: the report's answer, in our words.
        runs: names of the runs that the step adds.
    """

    number: int
    question: str
    claim: str
    runs: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Finding:
    """A claim of the study; it holds if it holds for each of its pairs.

    Args:
        step: number of the step that claims it.
        claim: in words.
        metric: a key of `fer_keras.study.judging.METRICS`.
        claimed: open interval (low, high) of the difference, first minus second of a pair.
        pairs: (run name, run name), or (run name, number) to compare the metric with a number.
    """

    step: int
    claim: str
    metric: str
    claimed: tuple[float, float]
    pairs: tuple[tuple[str, str | float], ...]

    def is_directional(self, pair: tuple[str, str | float]) -> bool:
        """Return whether the claim on `pair` is just "more" or "less", without a margin of its own."""
        return self.claimed in (MORE, LESS) and (isinstance(pair[1], str) or pair[1] == 0)


@dataclasses.dataclass(frozen=True)
class RunFinding:
    """A claim on all runs: the association of two of their figures.

    Args:
        claim: in words.
        metric, other: keys of `fer_keras.study.judging.METRICS`.
        claimed: `MORE` or `LESS`, of Spearman's rank correlation.
    """

    claim: str
    metric: str
    other: str
    claimed: tuple[float, float]


STEPS = (
    Step(
        1,
        "How deep should a fully connected network be?",
        "Three layers do worst, with gradients and parameters less spread than in one or two. No network of "
        "this step is good.",
        (
            "1-Layer-NN",
            "2-1024-Layer-NN",
            "3-1024-Layer-NN",
        ),
    ),
    Step(
        2,
        "Do normalization layers help the gradients through three layers, and at what price?",
        "BatchNorm overfits at any batch size and with any regularizer, and the overfit check says so "
        "beforehand. LayerNorm makes little difference.",
        (
            "3-1024-Layer-Batchnorm-NN",
            "3-1024-Layer-Batchnorm-NN-256-Batch",
            "3-1024-Layer-Batchnorm-NN-l2",
            "3-1024-Layer-Layernorm-NN",
        ),
    ),
    Step(
        3,
        "Which shape should three layers have: equal, halving, or widening and narrowing?",
        "The three shapes perform almost alike. The halving one stays because it is the smallest.",
        (
            "3-1024-Layer-NN-128-Batch",
            "3-1024-Layer-Down-NN",
            "3-1024-Layer-Hourglass-NN",
        ),
    ),
    Step(
        4,
        "What does dropout do, alone and together with BatchNorm?",
        "Dropout alone lowers the accuracy, the more the lower. Together with BatchNorm, more of it narrows "
        "the gap and raises the validation accuracy.",
        (
            "3-Layer-Down-Dropout-0.1-NN",
            "3-Layer-Down-Dropout-0.3-NN",
            "3-Layer-Down-Dropout-0.5-NN",
            "3-1024-Layer-Down-Batchnorm-NN",
            "3-Layer-Down-Dropout-0.1-Batchnorm-NN",
            "3-Layer-Down-Dropout-0.5-Batchnorm-NN",
        ),
    ),
    Step(
        5,
        "Does a deeper network gain anything?",
        "Four to six layers bring no real gain over three.",
        (
            "4-Layer-Down-NN",
            "5-Layer-Down-NN",
            "6-Layer-Down-NN",
        ),
    ),
    Step(
        6,
        "Which optimizer, and what do input normalization, L2 and the learning rate change?",
        "SGD is worst. Adam and RMSprop are equally good, but RMSprop overfits more. Normalized inputs add "
        "about 5 points of validation accuracy and more overfitting, which L2 reduces sharply. The learning "
        "rate hardly matters.",
        (
            "3-1024-Layer-Down-NN-sgd",
            "3-1024-Layer-Down-NN-sgd-lr-0.001",
            "3-1024-Layer-Down-NN-sgd-momentum",
            "3-1024-Layer-Down-NN-lr-0.0003",
            "3-1024-Layer-Down-NN-rmsprop",
            "3-1024-Layer-Down-NN-rmsprop-lr-0.0001",
            "3-Layer-Down-NN-adam",
            "3-Layer-Down-NN-sgd",
            "3-Layer-Down-NN-sgd-lr-0.001",
            "3-Layer-Down-NN-sgd-momentum",
            "3-Layer-Down-NN-rmsprop",
            "3-Layer-Down-NN-rmsprop-lr-0.0003",
            "3-Layer-Down-NN-adam-l2",
            "3-Layer-Down-NN-adam-lr-0.0003",
            "3-Layer-Down-NN-adam-lr-0.003",
        ),
    ),
    Step(
        7,
        "Which combination of what came before is the best fully connected network?",
        "Halving widths, dropout of 0.3, BatchNorm, Adam and L2 make the best fully connected network.",
        (
            NN_BEST,
            "3-Layer-Down-Dropout-0.3-NN-adam-l2",
            "3-Layer-Down-Batchnorm-NN-adam-l2",
            "3-Layer-Down-Dropout-0.5-Batchnorm-NN-adam-l2",
            "3-Layer-Down-Dropout-0.3-Batchnorm-NN-adam",
            "3-Layer-Down-Dropout-0.3-Layernorm-NN-adam-l2",
            "4-Layer-Down-Dropout-0.3-Batchnorm-NN-adam-l2",
        ),
    ),
    Step(
        8,
        "How far do convolutions alone go?",
        "Three convolutions are far better than one, and both leave a large gap. With pooling and more "
        "layers, the overfit check shows that the gradients struggle.",
        (
            "1-1-CNN",
            "3-1-CNN",
            "3-1-Maxpool-CNN",
            "5-2-Maxpool-CNN",
            "3-1-Up-Maxpool-CNN",
        ),
    ),
    Step(
        9,
        "BatchNorm or LayerNorm on the dense layers of a convolutional network?",
        "BatchNorm leaves a large gap in every variant. LayerNorm repairs the gradient flow and does not overfit.",
        (
            "3-1-Up-Maxpool-Dropout-CNN",
            "3-1-Up-Maxpool-Batchnorm-CNN",
            "3-1-Up-Maxpool-Dropout-Batchnorm-CNN",
            "3-1-Up-Maxpool-Batchnorm-CNN-l2",
            "2-1-Up-Maxpool-Batchnorm-CNN",
            "3-1-Up-Maxpool-Dropout-Layernorm-CNN",
        ),
    ),
    Step(
        10,
        "What do mirrored faces do to the gap between training and validation?",
        "Mirroring improves validation a little and cuts the gap from about 13 points to 2.",
        (CNN_FLIP,),
    ),
    Step(
        11,
        "What helps a deeper network: BatchNorm on the convolutions, LeakyReLU, residual connections?",
        "BatchNorm on the convolutions helps the gradient flow and stays. LeakyReLU and residual connections "
        "change little.",
        (
            f"{CNN_4_2}-CNN",
            f"{CNN_4_2}-CBatchnorm-CNN",
            f"{CNN_4_2}-LeakyReLU-CNN",
            f"{CNN_4_2}-Residual-CNN",
            f"{CNN_4_2}-CBatchnorm-LeakyReLU-CNN",
            f"{CNN_4_2}-CBatchnorm-Residual-CNN",
            f"{CNN_4_2}-CBatchnorm-LeakyReLU-Residual-CNN",
        ),
    ),
    Step(
        12,
        "Which convolutional network is the best?",
        "3-2-Best reaches 0.60 without overfitting, as the only one of the last networks. The sweep does not "
        "find a better one.",
        (
            CNN_BEST,
            f"{CNN_3_2}-CNN",
            f"{CNN_3_2}-CNN-l2",
            f"{CNN_3_2}-LeakyReLU-CNN",
            f"{CNN_3_2}-Residual-CNN",
            SWEEP_BEST,
        ),
    ),
)

CLAIMS = (
    Finding(
        1,
        "Three layers are worst.",
        "val_acc",
        LESS,
        (
            ("3-1024-Layer-NN", "1-Layer-NN"),
            ("3-1024-Layer-NN", "2-1024-Layer-NN"),
        ),
    ),
    Finding(
        1,
        "With three layers less of the gradient reaches the first one than with one or two.",
        "first_layer_ratio",
        LESS,
        (
            ("3-1024-Layer-NN", "1-Layer-NN"),
            ("3-1024-Layer-NN", "2-1024-Layer-NN"),
        ),
    ),
    Finding(
        1,
        "With three layers the gradients are less spread than with one or two.",
        "gradient_sd",
        LESS,
        (
            ("3-1024-Layer-NN", "1-Layer-NN"),
            ("3-1024-Layer-NN", "2-1024-Layer-NN"),
        ),
    ),
    Finding(
        1,
        "With three layers the parameters are less spread than with one or two.",
        "weight_sd",
        LESS,
        (
            ("3-1024-Layer-NN", "1-Layer-NN"),
            ("3-1024-Layer-NN", "2-1024-Layer-NN"),
        ),
    ),
    Finding(
        1,
        "None of these networks is good: all stay below 50 %.",
        "val_acc",
        LESS,
        (
            ("1-Layer-NN", NOT_GOOD),
            ("2-1024-Layer-NN", NOT_GOOD),
            ("3-1024-Layer-NN", NOT_GOOD),
        ),
    ),
    Finding(
        2,
        "BatchNorm overfits: the gap is larger than without it.",
        "gap",
        MORE,
        (
            ("3-1024-Layer-Batchnorm-NN", "3-1024-Layer-NN"),
            ("3-1024-Layer-Down-Batchnorm-NN", "3-1024-Layer-Down-NN"),
        ),
    ),
    Finding(
        2,
        "With BatchNorm validation lags training, whatever the batch size or the regularizer.",
        "gap",
        MORE,
        (
            ("3-1024-Layer-Batchnorm-NN", 0.0),
            ("3-1024-Layer-Batchnorm-NN-256-Batch", 0.0),
            ("3-1024-Layer-Batchnorm-NN-l2", 0.0),
            ("3-Layer-Down-Dropout-0.5-Batchnorm-NN", 0.0),
        ),
    ),
    Finding(
        2,
        "The overfit check shows it too: with BatchNorm the loss is down to 0 sooner.",
        "overfit_epochs",
        LESS,
        (("3-1024-Layer-Batchnorm-NN", "3-1024-Layer-NN"),),
    ),
    Finding(2, "LayerNorm changes little.", "val_acc", ALIKE, (("3-1024-Layer-Layernorm-NN", "3-1024-Layer-NN"),)),
    Finding(
        3,
        "The shapes are nearly equal.",
        "val_acc",
        ALIKE,
        (
            ("3-1024-Layer-Down-NN", "3-1024-Layer-NN-128-Batch"),
            ("3-1024-Layer-Hourglass-NN", "3-1024-Layer-NN-128-Batch"),
            ("3-1024-Layer-Hourglass-NN", "3-1024-Layer-Down-NN"),
        ),
    ),
    Finding(
        4,
        "Dropout alone: the more, the lower the accuracy.",
        "val_acc",
        LESS,
        (
            ("3-Layer-Down-Dropout-0.1-NN", "3-1024-Layer-Down-NN"),
            ("3-Layer-Down-Dropout-0.3-NN", "3-Layer-Down-Dropout-0.1-NN"),
            ("3-Layer-Down-Dropout-0.5-NN", "3-Layer-Down-Dropout-0.3-NN"),
        ),
    ),
    Finding(
        4,
        "Dropout with BatchNorm: the more, the smaller the gap.",
        "gap",
        LESS,
        (
            ("3-Layer-Down-Dropout-0.1-Batchnorm-NN", "3-1024-Layer-Down-Batchnorm-NN"),
            ("3-Layer-Down-Dropout-0.5-Batchnorm-NN", "3-Layer-Down-Dropout-0.1-Batchnorm-NN"),
        ),
    ),
    Finding(
        4,
        "Dropout with BatchNorm: the more, the better the validation accuracy.",
        "val_acc",
        MORE,
        (
            ("3-Layer-Down-Dropout-0.1-Batchnorm-NN", "3-1024-Layer-Down-Batchnorm-NN"),
            ("3-Layer-Down-Dropout-0.5-Batchnorm-NN", "3-Layer-Down-Dropout-0.1-Batchnorm-NN"),
        ),
    ),
    Finding(
        5,
        "Deeper networks gain nothing: not one point.",
        "val_acc",
        NO_GAIN,
        (
            ("4-Layer-Down-NN", "3-1024-Layer-Down-NN"),
            ("5-Layer-Down-NN", "3-1024-Layer-Down-NN"),
            ("6-Layer-Down-NN", "3-1024-Layer-Down-NN"),
        ),
    ),
    Finding(
        6,
        "SGD is worst, each optimizer at its best rate.",
        "val_acc",
        LESS,
        (
            ("3-1024-Layer-Down-NN-sgd", "3-1024-Layer-Down-NN-lr-0.0003"),
            ("3-1024-Layer-Down-NN-sgd", "3-1024-Layer-Down-NN-rmsprop-lr-0.0001"),
            ("3-Layer-Down-NN-sgd", "3-Layer-Down-NN-adam-lr-0.0003"),
            ("3-Layer-Down-NN-sgd", "3-Layer-Down-NN-rmsprop-lr-0.0003"),
        ),
    ),
    Finding(
        6,
        "SGD is worst, all optimizers at a rate of 0.001.",
        "val_acc",
        LESS,
        (
            ("3-1024-Layer-Down-NN-sgd-lr-0.001", "3-1024-Layer-Down-NN"),
            ("3-1024-Layer-Down-NN-sgd-lr-0.001", "3-1024-Layer-Down-NN-rmsprop"),
            ("3-Layer-Down-NN-sgd-lr-0.001", "3-Layer-Down-NN-adam"),
            ("3-Layer-Down-NN-sgd-lr-0.001", "3-Layer-Down-NN-rmsprop"),
        ),
    ),
    Finding(
        6,
        "Adam and RMSprop are alike.",
        "val_acc",
        ALIKE,
        (
            ("3-1024-Layer-Down-NN-rmsprop", "3-1024-Layer-Down-NN"),
            ("3-Layer-Down-NN-rmsprop", "3-Layer-Down-NN-adam"),
        ),
    ),
    Finding(
        6,
        "RMSprop overfits more than Adam.",
        "gap",
        MORE,
        (
            ("3-1024-Layer-Down-NN-rmsprop", "3-1024-Layer-Down-NN"),
            ("3-Layer-Down-NN-rmsprop", "3-Layer-Down-NN-adam"),
        ),
    ),
    Finding(
        6,
        "Input normalization brings about 5 points of validation accuracy (3 to 7).",
        "val_acc",
        (0.03, 0.07),
        (("3-Layer-Down-NN-adam", "3-1024-Layer-Down-NN"),),
    ),
    Finding(
        6, "Input normalization overfits more.", "gap", MORE, (("3-Layer-Down-NN-adam", "3-1024-Layer-Down-NN"),)
    ),
    Finding(
        6,
        "Normalized inputs train faster.",
        "early_train_acc",
        MORE,
        (("3-Layer-Down-NN-adam", "3-1024-Layer-Down-NN"),),
    ),
    Finding(
        6,
        "Normalized inputs train more stably.",
        "val_acc_change",
        LESS,
        (("3-Layer-Down-NN-adam", "3-1024-Layer-Down-NN"),),
    ),
    Finding(
        6,
        "L2 cuts that gap sharply: by at least 3 points.",
        "gap",
        SHARPLY_LESS,
        (("3-Layer-Down-NN-adam-l2", "3-Layer-Down-NN-adam"),),
    ),
    Finding(
        6,
        "The learning rate matters little.",
        "val_acc",
        ALIKE,
        (
            ("3-Layer-Down-NN-adam-lr-0.0003", "3-Layer-Down-NN-adam"),
            ("3-Layer-Down-NN-adam-lr-0.003", "3-Layer-Down-NN-adam"),
        ),
    ),
    Finding(
        7,
        f"{NN_BEST} is the best NN.",
        "val_acc",
        MORE,
        (
            (NN_BEST, "3-Layer-Down-Dropout-0.3-NN-adam-l2"),
            (NN_BEST, "3-Layer-Down-Batchnorm-NN-adam-l2"),
            (NN_BEST, "3-Layer-Down-Dropout-0.5-Batchnorm-NN-adam-l2"),
            (NN_BEST, "3-Layer-Down-Dropout-0.3-Batchnorm-NN-adam"),
            (NN_BEST, "3-Layer-Down-Dropout-0.3-Layernorm-NN-adam-l2"),
            (NN_BEST, "4-Layer-Down-Dropout-0.3-Batchnorm-NN-adam-l2"),
        ),
    ),
    Finding(
        8,
        "One convolution or three: both leave a large gap.",
        "gap",
        MORE,
        (
            ("1-1-CNN", LARGE),
            ("3-1-CNN", LARGE),
        ),
    ),
    Finding(
        8,
        "Three convolutions are far better than one: by at least 3 points.",
        "val_acc",
        FAR_MORE,
        (("3-1-CNN", "1-1-CNN"),),
    ),
    Finding(
        8,
        "With pooling and depth the overfit check takes longer: gradients struggle.",
        "overfit_epochs",
        MORE,
        (
            ("3-1-Maxpool-CNN", "3-1-CNN"),
            ("5-2-Maxpool-CNN", "3-1-CNN"),
        ),
    ),
    Finding(
        9,
        "BatchNorm always leaves a large gap.",
        "gap",
        MORE,
        (
            ("3-1-Up-Maxpool-Batchnorm-CNN", LARGE),
            ("3-1-Up-Maxpool-Dropout-Batchnorm-CNN", LARGE),
            ("3-1-Up-Maxpool-Batchnorm-CNN-l2", LARGE),
            ("2-1-Up-Maxpool-Batchnorm-CNN", LARGE),
        ),
    ),
    Finding(
        9,
        "LayerNorm mends the gradient flow: the overfit check is sooner down to 0 than without it.",
        "overfit_epochs",
        LESS,
        (("3-1-Up-Maxpool-Dropout-Layernorm-CNN", "3-1-Up-Maxpool-Dropout-CNN"),),
    ),
    Finding(
        9,
        "LayerNorm does so without BatchNorm's overfitting: its gap is smaller.",
        "gap",
        LESS,
        (("3-1-Up-Maxpool-Dropout-Layernorm-CNN", "3-1-Up-Maxpool-Dropout-Batchnorm-CNN"),),
    ),
    Finding(
        10,
        "Mirroring makes validation a little better.",
        "val_acc",
        MORE,
        ((CNN_FLIP, "3-1-Up-Maxpool-Dropout-Layernorm-CNN"),),
    ),
    Finding(
        10,
        "Mirroring cuts the gap sharply: by at least 3 points.",
        "gap",
        SHARPLY_LESS,
        ((CNN_FLIP, "3-1-Up-Maxpool-Dropout-Layernorm-CNN"),),
    ),
    Finding(
        10,
        "Mirroring cuts the gap from about 13 points to 2: by 8 to 14.",
        "gap",
        (-0.14, -0.08),
        ((CNN_FLIP, "3-1-Up-Maxpool-Dropout-Layernorm-CNN"),),
    ),
    Finding(
        11,
        "Deep networks struggle in spite of LayerNorm: the overfit check takes longer than with three stages.",
        "overfit_epochs",
        MORE,
        ((f"{CNN_4_2}-CNN", CNN_FLIP),),
    ),
    Finding(
        11,
        "BatchNorm on the convolutions helps the gradient flow: the overfit check is sooner down to 0.",
        "overfit_epochs",
        LESS,
        ((f"{CNN_4_2}-CBatchnorm-CNN", f"{CNN_4_2}-CNN"),),
    ),
    Finding(
        11,
        "LeakyReLU changes little.",
        "val_acc",
        ALIKE,
        (
            (f"{CNN_4_2}-LeakyReLU-CNN", f"{CNN_4_2}-CNN"),
            (f"{CNN_4_2}-CBatchnorm-LeakyReLU-CNN", f"{CNN_4_2}-CBatchnorm-CNN"),
        ),
    ),
    Finding(
        11,
        "Residual connections change little.",
        "val_acc",
        ALIKE,
        (
            (f"{CNN_4_2}-Residual-CNN", f"{CNN_4_2}-CNN"),
            (f"{CNN_4_2}-CBatchnorm-Residual-CNN", f"{CNN_4_2}-CBatchnorm-CNN"),
        ),
    ),
    Finding(
        11,
        "LeakyReLU and residual connections together change little.",
        "val_acc",
        ALIKE,
        ((f"{CNN_4_2}-CBatchnorm-LeakyReLU-Residual-CNN", f"{CNN_4_2}-CBatchnorm-CNN"),),
    ),
    Finding(12, f"{CNN_BEST} reaches 0.60 test accuracy.", "test_acc", MORE, ((CNN_BEST, GOOD),)),
    Finding(
        12,
        f"{CNN_BEST} is the only one of the last networks to reach 0.60 test accuracy.",
        "test_acc",
        LESS,
        (
            (f"{CNN_3_2}-CNN", GOOD),
            (f"{CNN_3_2}-CNN-l2", GOOD),
            (f"{CNN_3_2}-LeakyReLU-CNN", GOOD),
            (f"{CNN_3_2}-Residual-CNN", GOOD),
        ),
    ),
    Finding(
        12,
        f"{CNN_BEST} does so without overfitting: its gap is below 5 points.",
        "gap",
        LESS,
        ((CNN_BEST, SMALL),),
    ),
    Finding(
        12,
        f"{CNN_BEST} is better than every other candidate of the last step.",
        "val_acc",
        MORE,
        (
            (CNN_BEST, f"{CNN_3_2}-CNN"),
            (CNN_BEST, f"{CNN_3_2}-CNN-l2"),
            (CNN_BEST, f"{CNN_3_2}-LeakyReLU-CNN"),
            (CNN_BEST, f"{CNN_3_2}-Residual-CNN"),
        ),
    ),
    Finding(
        12,
        "The sweep finds nothing better than the hand-picked run: not by one point.",
        "val_acc",
        NO_GAIN,
        ((SWEEP_BEST, CNN_BEST),),
    ),
)


def _readings(claim: Finding) -> tuple[Finding, ...]:
    """Return the findings of a claim: one on the generalization gap is judged in both readings."""
    if claim.metric != "gap":
        return (claim,)
    reading = f"{claim.claim.removesuffix('.')} (training accuracy in inference mode)."
    return claim, dataclasses.replace(claim, claim=reading, metric="inference_gap")


FINDINGS = tuple(finding for claim in CLAIMS for finding in _readings(claim))
RUN_FINDINGS = (
    RunFinding(
        "The sooner the overfit check is down to 0, the larger the gap (running training accuracy).",
        "overfit_epochs",
        "gap",
        LESS,
    ),
    RunFinding(
        "The sooner the overfit check is down to 0, the larger the gap (training accuracy in inference mode).",
        "overfit_epochs",
        "inference_gap",
        LESS,
    ),
    RunFinding(
        "The sooner the overfit check is down to 0, the lower the validation accuracy.",
        "overfit_epochs",
        "val_acc",
        MORE,
    ),
)
