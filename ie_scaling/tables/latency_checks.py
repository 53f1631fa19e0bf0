"""Consistency of a latency table's cells: the impossible is refused, the suspicious warned of."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from ie_scaling import accounting
from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.shapes.lookup import PUBLIC_SHAPES
from ie_scaling.tables import cells, shape_table
from ie_scaling.tables.latency_metric import LatencyMetric

# The median of a ratio is not the ratio of medians: in nine tables of 98 to 114 rows they differ by up to 5 %.
TOLERANCE = 2.0
LOOSE = 0.25  # of e2e_s, how far apart its 10th and 90th percentiles may be where they are not known
THOUSAND = (500.0, 2000.0)
MANY_FLOORS = 300.0
# Small shapes on fast devices take many floors, all of it dispatch, but no layer takes so long, nor ten a whole step.
SLOW_LAYER_S, MORE_LAYERS = 1e-3, 10
SLOW_PARAMS_PER_S = 1e8  # a step multiplies by every weight; a core of today by ten times as many a second
IMPOSSIBLE_FLOORS = 1 / 3
SLOW_FLOOR_S = 0.01
SLOW_DEVICE = 1e9  # bytes a second, and FLOP a second: a small single-board computer has more of both
_SHAPE_NAME = re.compile(r"d\d+-n\d+-h\d+-")


def check(path: Path, frame: pd.DataFrame, given: pd.DataFrame, architectures: Sequence[Architecture]) -> None:
    """Refuse rows whose cells contradict one another; `given` holds the cells as they were written.

    Raises:
      InputError: by file, row, column and text.
    """
    _check_names(path, frame, given, architectures)
    for metric in LatencyMetric:
        _check_percentiles(path, frame, given, metric)
    steps = frame["new_tokens"] - 1
    _refuse(path, given, "e2e_s", frame["e2e_s"] < frame["ttft_s"], _below(frame, "ttft_s"))
    alone = (steps == 0) & frame["tpot_s"].notna()
    _refuse(path, given, "tpot_s", alone, lambda row: "must be blank: one new token has no time per output token")
    _check_tpot(path, frame, given)
    ratio = _tokens_ratio(frame)
    if not ratio.between(*THOUSAND).all():  # all of them: `remarks` asks for the unit
        least, most = (_tokens_ratio(frame, f"e2e_s{tail}").fillna(ratio) for tail in ("_p10", "_p90"))
        wrong = (least > TOLERANCE) | (most < 1 / TOLERANCE)  # the median of a few 1/x may be far from 1/median
        _refuse(path, given, "tokens_per_s", wrong, lambda row: _tokens_rule(frame, row))


def remarks(frame: pd.DataFrame, name: str) -> list[str]:
    """Warnings about a table that can be read but whose times are hardly in seconds; `name` is its file's."""
    floors, step_s = frame["tpot_s"] / frame["floor_s"], _step_s(frame)
    multiplied = _params_per_s(frame, step_s)
    is_slow = (floors >= MANY_FLOORS) | floors.isna() & (multiplied < SLOW_PARAMS_PER_S)
    slow = is_slow & (step_s >= SLOW_LAYER_S * (frame["n_layers"] + MORE_LAYERS)) | _tokens_ratio(frame).between(
        *THOUSAND
    )
    least = frame[["ttft_s", "tpot_s"]].min(axis=1) / frame["floor_s"]  # a prompt, too, reads every weight
    fast = least < IMPOSSIBLE_FLOORS
    warnings = []
    if slow.any():
        position = int(slow.to_numpy().argmax())
        why = f"{multiplied.iloc[position]:.3g} parameters a second"
        if floors.iloc[position] >= MANY_FLOORS:
            why = f"{floors.iloc[position]:,.0f} times its floor_s, a thousand floors and more"
        warnings.append(
            f"{name}: row {_row(frame, position)}, and {int(slow.sum())} of {len(frame)} rows: a step of "
            f"{step_s.iloc[position]:.3g} s, {why}: are these milliseconds? Times must be in seconds"
        )
    if fast.any():
        position = int(fast.to_numpy().argmax())
        warnings.append(
            f"{name}: row {_row(frame, position)}, and {int(fast.sum())} of {len(frame)} rows: ttft_s or "
            f"tpot_s is {least.iloc[position]:.2g} of floor_s, faster than the device can read: are both in seconds?"
        )
    return (warnings or _slow_floors(frame, name)) + _other_models(frame, name)


def _slow_floors(frame: pd.DataFrame, name: str) -> list[str]:
    """A warning of a floor that no device is so slow as to have, as all times in milliseconds give one."""
    per_s = 1 / frame["floor_s"]
    n_params = _n_params(frame)
    item_bytes = frame["dtype"].map({"float32": 4.0}).fillna(2.0)
    read_per_s = n_params * item_bytes * per_s
    slow = (read_per_s < SLOW_DEVICE) & (2 * n_params * frame["batch"] * per_s < SLOW_DEVICE)
    slow &= frame["floor_s"] > SLOW_FLOOR_S
    if not slow.any():
        return []
    position = int(slow.to_numpy().argmax())
    return [
        f"{name}: row {_row(frame, position)}, and {int(slow.sum())} of {len(frame)} rows: a floor_s of "
        f"{frame['floor_s'].iloc[position]:.3g} is that of a device which reads "
        f"{read_per_s.iloc[position] / 1e9:.2g} GB a second: are these milliseconds? Times must be in seconds"
    ]


def _other_models(frame: pd.DataFrame, name: str) -> list[str]:
    """A warning of a public model's name on a row of another shape."""
    for position, architecture in enumerate(shape_table.architectures_of(frame)):
        called = frame["architecture"].iloc[position]
        if (shape := PUBLIC_SHAPES.get(called.lower())) and shape != architecture.name:
            return [
                f"{name}: row {_row(frame, position)}: {called} is {shape}, but the columns say {architecture.name}, "
                "which is what counts"
            ]
    return []


def _row(frame: pd.DataFrame, position: int) -> int:
    """The number of a row in its file, 1 the first."""
    return int(frame.index[position]) + 1


def _step_s(frame: pd.DataFrame) -> pd.Series:
    """Seconds of a decode step; NaN where one new token is all there is."""
    steps = (frame["new_tokens"] - 1).where(frame["new_tokens"] > 1)
    return frame["tpot_s"].fillna((frame["e2e_s"] - frame["ttft_s"]) / steps)


def _params_per_s(frame: pd.DataFrame, step_s: pd.Series) -> pd.Series:
    """Parameters that a step multiplies by, for every request of its batch, in a second."""
    return _n_params(frame) * frame["batch"] / step_s


def _n_params(frame: pd.DataFrame) -> pd.Series:
    n_params = [accounting.count_parameters(a) for a in shape_table.architectures_of(frame)]
    return pd.Series(n_params, frame.index, dtype=float)


def _check_names(path: Path, frame: pd.DataFrame, given: pd.DataFrame, architectures: Sequence[Architecture]) -> None:
    """A name that is a shape's own is of the shape in the columns, and no name is of two shapes."""
    claims = [_SHAPE_NAME.match(name) is not None for name in frame["architecture"]]
    wrong = [
        is_shape and not _is_name_of(name, a)
        for is_shape, name, a in zip(claims, frame["architecture"], architectures, strict=True)
    ]
    rule = lambda row: f"must be {architectures[row].name}, as the columns say"  # noqa: E731
    _refuse(path, given, "architecture", pd.Series(wrong), rule)
    first: dict[str, Architecture] = {}
    twice = [first.setdefault(name, a) != a for name, a in zip(frame["architecture"], architectures, strict=True)]
    _refuse(path, given, "architecture", pd.Series(twice), lambda row: "is another shape's name in a row above")


def _is_name_of(name: str, architecture: Architecture) -> bool:
    try:
        return Architecture.parse(name) == architecture
    except InputError:
        return False


def _check_percentiles(path: Path, frame: pd.DataFrame, given: pd.DataFrame, metric: str) -> None:
    """10th percentile ≤ median ≤ 90th ≤ 99th, of those that are there; the first cell that is not is named."""
    names = (f"{metric}_p10", metric, f"{metric}_p90", f"{metric}_p99")
    for above in (1, 2, 3):
        for below in range(above):
            low, high = names[below], names[above]
            wrong = frame[low] > frame[high]
            if below == 0:
                _refuse(path, given, low, wrong, _above(frame, high))
            _refuse(path, given, high, wrong, _below(frame, low))


def _check_tpot(path: Path, frame: pd.DataFrame, given: pd.DataFrame) -> None:
    """(e2e_s − ttft_s)/(new_tokens − 1) within TOLERANCE of tpot_s, or within what e2e_s varies."""
    steps = frame["new_tokens"] - 1
    spent, claimed = frame["e2e_s"] - frame["ttft_s"], steps * frame["tpot_s"]
    reach = (frame["e2e_s_p90"] - frame["e2e_s_p10"]).fillna(LOOSE * frame["e2e_s"])
    near = (claimed <= TOLERANCE * spent) & (spent <= TOLERANCE * claimed)
    wrong = (steps > 0) & claimed.notna() & ~near & ((claimed - spent).abs() > reach)
    _refuse(
        path,
        given,
        "tpot_s",
        wrong,
        lambda row: (
            f"contradicts (e2e_s - ttft_s)/(new_tokens - 1) = {spent.iloc[row] / steps.iloc[row]:.4g}; "
            "are all three in seconds?"
        ),
    )


def _tokens_ratio(frame: pd.DataFrame, of: str = "e2e_s") -> pd.Series:
    """Tokens a second over batch·new_tokens/e2e_s, which they are; or over that of a percentile of e2e_s."""
    return frame["tokens_per_s"] * frame[of] / (frame["batch"] * frame["new_tokens"])


def _tokens_rule(frame: pd.DataFrame, row: int) -> str:
    here = frame.iloc[row]
    unit = "; is e2e_s in milliseconds?" if THOUSAND[0] <= _tokens_ratio(frame).iloc[row] <= THOUSAND[1] else ""
    return f"contradicts batch * new_tokens/e2e_s = {here['batch'] * here['new_tokens'] / here['e2e_s']:.4g}{unit}"


def _below(frame: pd.DataFrame, column: str) -> Callable[[int], str]:
    return lambda row: f"must be at least {column}, {frame[column].iloc[row]:.6g}"


def _above(frame: pd.DataFrame, column: str) -> Callable[[int], str]:
    return lambda row: f"must be at most {column}, {frame[column].iloc[row]:.6g}"


def _refuse(path: Path, given: pd.DataFrame, column: str, broken: pd.Series, rule: Callable[[int], str]) -> None:
    """`cells.refuse` with a rule for the first row that breaks it."""
    if broken.any():
        cells.refuse(path, given[column], broken, rule(int(broken.to_numpy().argmax())))
