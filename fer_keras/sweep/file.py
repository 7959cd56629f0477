"""A sweep's file in the format of `wandb sweep`, translated for Optuna."""

import dataclasses
import difflib
import itertools
import logging
import math
import os
import pathlib
import re
import reprlib
import textwrap
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import yaml
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from fer_keras.core import renames
from fer_keras.core.errors import InputError
from fer_keras.core.files import StrPath
from fer_keras.experiment import Experiment, override
from fer_keras.experiment import load as load_experiment

METHODS = ("bayes", "random", "grid")
GOALS = ("maximize", "minimize")
METRICS = ("train_loss", "train_acc", "val_loss", "val_acc")
KEYS = ("name", "description", "program", "method", "metric", "parameters", "run_cap", "early_terminate")
WANDB_KEYS = ("command", "entity", "project")  # used only by wandb's own agent
DISTRIBUTIONS = (
    *("constant", "categorical", "int_uniform", "uniform"),
    *("log_uniform_values", "q_uniform", "q_log_uniform_values"),
)
LOGGER = logging.getLogger("fer_keras")
MOST_BYTES = 1 << 20  # of a file
MOST_VALUES = 10_000  # in a file; aliases count in full
MOST_CELLS = 10_000  # of a grid
MOST_STEPS = 10**9  # of q between min and max
LONGEST_TEXT = 1000  # characters
LARGEST_INTEGER = 1 << 63


@dataclasses.dataclass(frozen=True)
class Sweep:
    """A search over the settings of one experiment.

    Args:
        name: of the sweep, and prefix of its trials' names.
        program: path of the experiment file.
        experiment: the experiment in that file.
        method: `"bayes"`, `"random"` or `"grid"`.
        metric: a key of the history; a trial's value is that of its last epoch.
        goal: `"maximize"` or `"minimize"`.
        trials: maximum number.
        constants: {setting: its only value}.
        distributions: {setting: Optuna's distribution}.
        early: `None`, or `{"min_iter": epochs before the first stop, "eta": one in `eta` trials continues}`.
    """

    name: str
    program: str
    experiment: Experiment
    method: str
    metric: str
    goal: str
    trials: int
    constants: dict[str, Any]
    distributions: dict[str, BaseDistribution]
    early: dict[str, int] | None

    @property
    def epochs(self) -> int:
        """The maximum number of epochs of a trial."""
        if "epochs" in self.distributions:
            return max(map(int, ends(self.distributions["epochs"])))
        return int(self.constants.get("epochs", self.experiment.epochs))

    def settings(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return {setting: value} of a trial with Optuna's `params`, including the constants."""
        return self.constants | {key: _tidy(params[key], self.distributions[key]) for key in params}


def load(path: StrPath) -> Sweep:
    """Return the `Sweep` described by the YAML file at `path`.

    Every setting is tried on the experiment, so that a typo does not fail trial after trial.

    Raises:
        InputError: if the file does not exist, is invalid or has no counterpart in Optuna.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"No sweep file {os.fspath(path)!r}. Expected a path such as experiments/sweep.yaml.")
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise InputError(f"{path} is too large for a sweep file. Expected at most {MOST_BYTES >> 20} MiB.")
    try:
        config = yaml.load(content.decode("utf-8"), _Loader)
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        # PyYAML does not wrap errors in dates, numbers, booleans and deep nesting.
        reason = textwrap.shorten(str(error), 300)
        raise InputError(f"{path} is not YAML that can be read: {reason}") from error
    _check_values(path, config)
    if not isinstance(config, dict):
        raise InputError(f"{path} must hold keys such as method and parameters. Received {_shown(config)}.")
    return parse(config, path.stem)


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader that also rejects duplicate keys in a mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if twice := sorted({key for key in keys if keys.count(key) > 1} - {"<<"}):
            raise yaml.constructor.ConstructorError(None, None, f"key {twice[0]!r} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


def _check_values(path: pathlib.Path, config: Any) -> None:
    """Reject too many values, values that are too large, and types that JSON does not have."""
    waiting, count = [config], 0
    while waiting:
        value = waiting.pop()
        count += 1
        if count > MOST_VALUES:
            raise InputError(
                f"{path} holds more than {MOST_VALUES:,} values. Expected fewer; aliases count in full."
            )
        if isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
            if others := [key for key in value if not isinstance(key, str)]:
                raise InputError(f"{path} has the key {_shown(others[0])}. Expected a text: put it in quotes.")
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, int):
            if abs(value) >= LARGEST_INTEGER:
                raise InputError(f"{path} holds a whole number of {value.bit_length()} bits. Expected at most 63.")
        elif isinstance(value, str):
            if len(value) > LONGEST_TEXT:
                raise InputError(
                    f"{path} holds a text of {len(value):,} characters. Expected at most {LONGEST_TEXT:,}."
                )
        elif not isinstance(value, (float, type(None))):
            kind = type(value).__name__
            raise InputError(f"{path} holds a {kind}: {_shown(value)}. Put it in quotes to make it a text.")


def _shown(value: Any) -> str:
    """Return `value` for a message, shortened."""
    return reprlib.repr(value)


def parse(config: dict[str, Any], stem: str) -> Sweep:
    """Return the `Sweep` of the `dict` read from a file called `stem`.yaml.

    Raises:
        InputError: see `load`.
    """
    _known("sweep", config, (*KEYS, *WANDB_KEYS))
    for key in ("program", "method", "metric", "parameters"):
        if not config.get(key):
            raise InputError(f"The sweep lacks {key!r}. Expected all of program, method, metric and parameters.")
    method = _one_of("method", config["method"], METHODS)
    metric = _known("metric", config["metric"], ("name", "goal"))
    parameters = _mapping("parameters", config["parameters"])
    if "name" in parameters:
        raise InputError("The sweep names its trials itself. Remove 'name' from the parameters.")
    kinds = {renames.setting(str(key)): _parameter(key, spec) for key, spec in parameters.items()}
    distributions = {key: kind for key, kind in kinds.items() if isinstance(kind, BaseDistribution)}
    if not distributions:
        raise InputError("The sweep varies nothing. Expected a parameter with values, or with min and max.")
    program = str(config["program"])
    sweep = Sweep(
        name=_name(config.get("name", stem)),
        program=program,
        experiment=load_experiment(program),
        method=method,
        metric=_one_of("metric name", metric.get("name"), METRICS),
        goal=_goal(metric),
        trials=_trials(method, config.get("run_cap"), distributions),
        constants={key: kind for key, kind in kinds.items() if key not in distributions},
        distributions=distributions,
        early=_early(config.get("early_terminate")),
    )
    for key, kind in kinds.items():
        for value in ends(kind) if key in distributions else [kind]:
            override(sweep.experiment, [f"{key}={value}"])
    return sweep


def _goal(metric: Mapping[str, Any]) -> str:
    if "goal" not in metric and metric["name"].endswith("_acc"):
        LOGGER.warning(
            "The sweep minimizes %s, as `wandb sweep` does without a goal. To maximize it, write goal: maximize.",
            metric["name"],
        )
    return _one_of("metric goal", metric.get("goal", "minimize"), GOALS)


def cells(distributions: Mapping[str, BaseDistribution]) -> list[dict[str, Any]]:
    """Return every combination of the values, a list of {setting: value}; the last setting changes fastest.

    Raises:
        InputError: if a setting has infinitely many values.
    """
    values = [_values(key, distribution) for key, distribution in distributions.items()]
    return [dict(zip(distributions, cell, strict=True)) for cell in itertools.product(*values)]


def _trials(method: str, cap: Any, distributions: Mapping[str, BaseDistribution]) -> int:
    if cap is not None and not (_integer(cap) and cap > 0):
        raise InputError(f"The sweep's run_cap must be a whole number above 0. Received {_shown(cap)}.")
    if method == "grid":
        number = math.prod(_count(key, distribution) for key, distribution in distributions.items())
        if number > MOST_CELLS:
            raise InputError(
                f"The grid has more than {MOST_CELLS:,} combinations. Give fewer values, or use method: random."
            )
        return min(number, cap or number)
    if cap is None:
        raise InputError(f"The method {method!r} has no end of its own. Expected run_cap: the number of trials.")
    return cap


def _early(spec: Any) -> dict[str, int] | None:
    if spec is None:
        return None
    if _mapping("early_terminate", spec).get("type") != "hyperband":
        raise InputError(f"The only type of early_terminate is hyperband. Received {_shown(spec.get('type'))}.")
    for key in ("max_iter", "s", "strict"):
        if key in spec:
            raise InputError(f"early_terminate's {key!r} has no counterpart in Optuna. Use min_iter and eta.")
    _known("early_terminate", spec, ("type", "min_iter", "eta"))
    early = {"min_iter": spec.get("min_iter"), "eta": spec.get("eta", 3)}
    for key, least in {"min_iter": 1, "eta": 2}.items():
        if not (_integer(early[key]) and early[key] >= least):
            raise InputError(
                f"early_terminate's {key} must be a whole number from {least} on. Received {_shown(early[key])}."
            )
    return early


def _parameter(key: str, spec: Any) -> Any:
    """Return Optuna's distribution, or the value of a constant."""
    spec = _mapping(f"parameter {key!r}", spec)
    if "parameters" in spec:
        raise InputError(f"Parameters within {key!r} are not read here. Write {key}.NAME instead.")
    kind = spec.get("distribution") or _kind(key, spec)
    if kind not in DISTRIBUTIONS:
        raise InputError(
            f"The distribution {_shown(kind)} of {key!r} has no counterpart in Optuna. "
            f"Expected one of: {', '.join(DISTRIBUTIONS)}."
        )
    wanted = {"constant": ["value"], "categorical": ["values"]}.get(kind, ["min", "max"])
    optional = ["q"] if kind.startswith("q_") else []
    _known(f"parameter {key!r}", spec, ["distribution", *wanted, *optional])
    if missing := [name for name in wanted if name not in spec]:
        raise InputError(f"The parameter {key!r} lacks {' and '.join(missing)}, which {kind} needs.")
    if kind == "constant":
        return spec["value"]
    if kind == "categorical":
        return _categorical(key, spec["values"])
    return _numeric(key, kind, spec["min"], spec["max"], spec.get("q", 1))


def _kind(key: str, spec: Mapping[str, Any]) -> str:
    if "value" in spec:
        return "constant"
    if "values" in spec:
        return "categorical"
    if "min" in spec and "max" in spec:
        return "int_uniform" if _integer(spec["min"]) and _integer(spec["max"]) else "uniform"
    raise InputError(f"The parameter {key!r} needs value, values, or min and max. Received {_shown(spec)}.")


def _categorical(key: str, values: Any) -> CategoricalDistribution:
    if not isinstance(values, list) or not values:
        raise InputError(f"The values of {key!r} must be a list. Received {_shown(values)}.")
    # Optuna stores numbers, texts, booleans and None; a list becomes text, which the experiment parses.
    plain = [value if isinstance(value, (str, int, float, type(None))) else str(value) for value in values]
    return CategoricalDistribution(plain)


def _numeric(key: str, kind: str, low: Any, high: Any, step: Any) -> IntDistribution | FloatDistribution:
    for value in (low, high, step):
        if not (_integer(value) or isinstance(value, float) and math.isfinite(value)):
            raise InputError(
                f"The parameter {key!r} needs numbers. Received {_shown(value)} "
                "(YAML reads 1e-3 as text: write 1.0e-3)."
            )
    if low >= high or step <= 0:
        raise InputError(f"The parameter {key!r} needs min < max and q > 0. Received {low}, {high} and {step}.")
    if not math.isfinite(high - low):
        raise InputError(f"The range of {key!r} is too wide. Received {low} to {high}.")
    whole = all(map(_integer, (low, high, step)))
    if kind == "int_uniform" and not whole:
        raise InputError(f"The parameter {key!r} is of int_uniform: min and max must be whole numbers.")
    if "log" in kind and low <= 0:
        raise InputError(f"The parameter {key!r} has a log scale: min must be above 0. Received {low}.")
    if kind == "q_log_uniform_values" and not (whole and step == 1):
        raise InputError(f"Steps on a log scale, as of {key!r}, are whole numbers and q is 1 in Optuna.")
    if kind == "q_uniform":
        _check_steps(key, *(Fraction(str(value)) for value in (low, high, step)))
    log = "log" in kind
    if kind in ("int_uniform", "q_log_uniform_values") or kind == "q_uniform" and whole:
        return IntDistribution(low, high, log=log, step=step)
    return FloatDistribution(low, high, log=log, step=step if kind == "q_uniform" else None)


def _check_steps(key: str, low: Fraction, high: Fraction, step: Fraction) -> None:
    if low % step or high % step:
        raise InputError(f"The min and max of {key!r} must be multiples of q.")
    if (high - low) / step > MOST_STEPS:
        raise InputError(f"The q of {key!r} is too small. Expected at most {MOST_STEPS:,} steps from min to max.")


def _count(key: str, distribution: Any) -> int:
    if isinstance(distribution, CategoricalDistribution):
        return len(distribution.choices)
    if distribution.step is None or distribution.log:
        raise InputError(
            f"A grid needs an end of values. Give {key!r} values, whole numbers, or q_uniform with q."
        )
    low, high, step = (Fraction(str(v)) for v in (distribution.low, distribution.high, distribution.step))
    return int((high - low) / step) + 1


def _values(key: str, distribution: Any) -> Sequence[Any]:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    low, step = Decimal(str(distribution.low)), Decimal(str(distribution.step))
    return [type(distribution.low)(low + i * step) for i in range(_count(key, distribution))]


def ends(distribution: Any) -> Sequence[Any]:
    """Return the choices of a categorical distribution, the lowest and the highest value of any other."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    return distribution.low, distribution.high


def _tidy(value: Any, distribution: BaseDistribution) -> Any:
    """Return `value` without the rounding errors of sums of steps: 0.15 for 0.15000000000000002."""
    stepped = isinstance(distribution, FloatDistribution) and distribution.step is not None
    return float(f"{value:.12g}") if stepped else value


def _mapping(what: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"The sweep's {what} must hold keys and values. Received {_shown(value)}.")
    return value


def _known(what: str, value: Any, keys: Sequence[str]) -> dict[str, Any]:
    for key in _mapping(what, value):
        if key not in keys:
            close = difflib.get_close_matches(str(key), keys, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"Expected some of: {', '.join(keys)}."
            raise InputError(f"The {what} has the key {_shown(key)}, which is not supported here. {hint}")
    return value


def _one_of(what: str, value: Any, values: Sequence[str]) -> str:
    if value not in values:
        raise InputError(f"The sweep's {what} must be one of: {', '.join(values)}. Received {_shown(value)}.")
    return value


def _name(name: Any) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", str(name)):
        raise InputError(
            f"A sweep's name is of letters, digits, '-', '_' and '.', 64 at most. Received {_shown(name)}."
        )
    return str(name)


def _integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
