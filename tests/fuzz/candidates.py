"""Questions to rank and select: names of candidates, grids, seeds, levels and fits that no one should ask for.

Each case is a sound configuration with one to three fields damaged, built as the command line builds it and answered
in a work directory; the fit is a small posterior that is written once, and some cases damage what lies beside it.
"""

import atexit
import functools
import json
import random
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from experiments import rank, select
from ie_scaling.architecture import Architecture
from ie_scaling.laws import forms
from ie_scaling.laws.bayes import posterior
from ie_scaling.laws.observations import Reference
from ie_scaling.running import config as config_lib
from ie_scaling.running import runner
from ie_scaling.tables import cells, latency_table
from tests.fuzz.harness import CANARY, Case

SHAPES = [
    Architecture(d_model=d, n_layers=n, n_heads=4, n_kv_heads=2, d_head=16, d_ff=3 * d, vocab_size=512)
    for d, n in ((64, 12), (96, 5), (128, 3), (192, 1))
]
CODE = f"__import__('os').environ.update({CANARY}='1')"
NUMBERS: tuple[Any, ...] = (
    *(0, -1, 1, 2, 3, 7, 10**30, 10**400, -(10**400), 2**31, 2**32, 2**63, 1.5, 1e-300, 1e300, float("nan")),
    *(
        float("inf"),
        -float("inf"),
        "1.5B",
        "9" * 400,
        "9" * 5000,
        "1e999",
        "nan",
        "",
        "20N",
        None,
        True,
        [],
        [1],
        {},
        CODE,
    ),
)
TEXTS: tuple[Any, ...] = ("", " ", "x", "law", "shape", "new_run", "../..", "\0", "a\nb", "ü" * 300, CODE, 3, None, [])
LISTS: tuple[Any, ...] = (
    *((), (0.0,), (8.0,), (8.0, 4.0), (4.0, 400.0), (float("nan"), 3.0), (1e-300, 1e300), (float("inf"),)),
    *((-1.0, 5.0), (1,), (0,), (3,), (10**400,), ("a",), "8", 5, None, (1.0,) * 2000, (True,)),
)
WHOLE = (1, 2, 3, 7, 16, 31, 64, 128, 1000, 0, -1, 10**5, 10**6, 10**7, 2**31, 2**32, 2**62)
REAL = (1e-300, 1e-9, 0.01, 0.5, 0.99, 1.0, 3e5, 2e6, 1e9, 1e15, 1e18, 1e300, 0.0, -1.0)
FLOATS = ("n_params", "tolerance", "n_tokens", "max_params", "max_latency_s", "max_latency_ratio", "min_p_feasible")
GRID_NUMBERS = ("n_params", "tolerance", "width_step", "max_width", "d_head", "d_ff_step", "vocab_size")
GRID_LISTS = ("aspect_ratios", "mlp_ratios", "query_groups")
QUESTION_NUMBERS = ("n_tokens", "top_k", "seed")


def _number(rng: random.Random, field: str) -> Any:
    """Mostly of the field's type, and absurd or not."""
    return rng.choice(NUMBERS if rng.random() < 0.2 else REAL if field in FLOATS else WHOLE)


def draw(rng: random.Random, folder: Path) -> Case:
    """One question to rank or to select."""
    fit = folder / "fit"
    shutil.copytree(_inputs(), folder, dirs_exist_ok=True)
    verb = rng.choice(("rank", "rank", "select"))
    values: dict[str, Any] = {"fit": str(fit), "n_tokens": 1e6, "candidates": tuple(a.name for a in SHAPES)}
    values |= {"n_compared": 1} if verb == "rank" else {"latency": str(folder / "latency.csv")}
    grid = {"n_params": None, "d_head": 16, "vocab_size": 512, "width_step": 32, "max_width": 512}
    done = [rng.choice(DAMAGES)(rng, values, grid, folder) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
    if verb == "rank" or rng.random() < 0.1:  # timed candidates take no grid
        values["grid"] = grid
    module = rank if verb == "rank" else select
    return Case(
        f"{verb}: {'; '.join(done)}"[:300],
        lambda: runner.run(module, config_lib.build(module.Config, values), folder / "out"),
    )


def _name(rng, values, grid, folder) -> str:
    """A candidate's name with signs changed, fields absurd, or no name at all."""
    name = rng.choice(SHAPES).name
    how = rng.randrange(7)
    if how == 0:
        at = rng.randrange(len(name))
        name = name[:at] + rng.choice("0-9dxé\n\0 ٣∞") + name[at + rng.randint(0, 2) :]
    elif how == 1:
        field = rng.choice("dnhkcfv")
        number = rng.choice(("0", "-1", "1", "3", "9" * 12, "9" * 400, "7" * 5000, "00064", "1e3", "", "nan"))
        name = "-".join(field + number if part.startswith(field) else part for part in name.split("-"))
    elif how == 2:
        name += rng.choice(
            ("-tied", "-qknorm", "-rope", "-rope1e999", "-rope500000", "-tied-tied", "-rope" + "9" * 400)
        )
    elif how == 3:
        name = rng.choice(("llama-3.2-1b", "qwen3-0.6b", "llama-9", "gpt-5", "Qwen/Qwen2.5-0.5B", "x" * 9999))
    elif how == 4:
        path = folder / "config.json"
        path.write_text(rng.choice(("{", "[]", "null", '{"model_type": "llama"}', "[" * 5000, "\ufeff{}", CODE)))
        name = str(path)
    elif how == 5:
        name = str(folder / rng.choice(("absent.json", "", ".json")))
    else:
        name = rng.choice(TEXTS)
    kept = [shape.name for shape in rng.sample(SHAPES, k=rng.randint(0, len(SHAPES)))]
    values["candidates"] = rng.choice(((name,), (*kept, name), (name, name, *kept)))
    return f"candidate {name!r:.60}"


def _candidates(rng, values, grid, folder) -> str:
    """No candidates, the same twice, one alone, or no list."""
    every = tuple(a.name for a in SHAPES)
    values["candidates"] = rng.choice(((), every[:1], every[:1] * 3, every * 2, every[0], None, 3, [[]], {}))
    return f"candidates {values['candidates']!r:.60}"


def _grid_number(rng, values, grid, folder) -> str:
    """A number of the grid that is absurd."""
    grid.setdefault("n_params", 3e5)
    grid["n_params"] = grid["n_params"] or rng.choice((3e5, 2e6, 1e15, 1.0))
    field = rng.choice(GRID_NUMBERS)
    grid[field] = value = _number(rng, field)
    return f"grid.{field}={value!r:.40}"


def _grid_list(rng, values, grid, folder) -> str:
    """A list of the grid that is empty, descending, infinite or no list."""
    grid["n_params"] = rng.choice((3e5, 2e6, None))
    field, value = rng.choice(GRID_LISTS), rng.choice(LISTS)
    grid[field] = value
    return f"grid.{field}={value!r:.40}"


def _grid_sound(rng, values, grid, folder) -> str:
    """A grid of any size, with or without names beside it."""
    grid["n_params"] = 10 ** rng.uniform(3, 9)
    grid["equal_size"] = rng.choice((True, False))
    grid["d_ff_step"] = rng.choice((8, 64, 640))
    values["candidates"] = rng.choice(((), values["candidates"]))
    return f"grid of {grid['n_params']:g}"


def _question_number(rng, values, grid, folder) -> str:
    """Tokens, ranks or a seed that are absurd."""
    fields = (*QUESTION_NUMBERS, *(["n_listed", "n_compared"] if "n_compared" in values else ["max_params"]))
    field = rng.choice(fields)
    values[field] = value = _number(rng, field)
    return f"{field}={value!r:.40}"


def _bound(rng, values, grid, folder) -> str:
    """A latency bound that is absurd, or two."""
    if "latency" not in values:
        return _question_number(rng, values, grid, folder)
    field = rng.choice(("max_latency_s", "max_latency_ratio", "min_p_feasible", "latency_metric", "where"))
    values[field] = rng.choice(TEXTS) if field not in FLOATS else _number(rng, field)
    return f"{field}={values[field]!r:.40}"


def _level(rng, values, grid, folder) -> str:
    values["level"] = rng.choice((*TEXTS, "LAW"))
    return f"level={values['level']!r:.40}"


def _fit(rng, values, grid, folder) -> str:
    """A fit that is not there, several, or a path of another kind."""
    fit = values["fit"]
    values["fit"] = rng.choice(
        (f"{fit},{fit}", f"{fit},", ",", "", "/", "\0", "x" * 5000, f"{fit}/posterior.nc", f" {fit} ", None, 3, "~")
    )
    return f"fit={values['fit']!r:.60}"


def _beside(rng, values, grid, folder) -> str:
    """diagnostics.json of another form, or a config.json beside the posterior."""
    name = rng.choice(("diagnostics.json", "diagnostics.json", "config.json"))
    good = {"kind": "certificate", "subject": "certificate effective", "message": "m"}
    lists = ([1], [{}], [[]], [good | {"kind": 3}], [good | {"kind": "?"}], [good | {"message": "a\nb"}], [good, good])
    lists += ([], None, 3, {}, "x", [good | {"more": ""}], [{"kind": "table"}], [good | {"message": "x" * 9999}] * 99)
    others = ("", "{", "[]", "null", "3", '{"failures": ["old"]}', "\ufeff[]", "\0", "[" * 5000)
    content = rng.choice((*others, *(json.dumps({"diagnostics": each}) for each in lists)))
    (folder / "fit" / name).write_text(content)
    return f"{name} {content!r:.40}"


def _posterior_bytes(rng, values, grid, folder) -> str:
    """A byte of the posterior changed, or its end cut off."""
    path = folder / "fit" / "posterior.nc"
    content = bytearray(path.read_bytes())
    at = rng.randrange(len(content))
    if rng.random() < 0.5:
        content[at] ^= 1 << rng.randrange(8)
    else:
        del content[at:]
    path.write_bytes(content)
    return f"posterior.nc damaged at {at}"


def _unknown_field(rng, values, grid, folder) -> str:
    rng.choice((values, grid))[rng.choice(("sed", "n_param", "x", "", "level ", "experiment"))] = 1
    return "a field that is not there"


DAMAGES = (_name, _name, _candidates, _grid_number, _grid_number, _grid_list, _grid_sound, _question_number, _bound)
DAMAGES += (_level, _fit, _beside, _posterior_bytes, _unknown_field)


@functools.cache
def _inputs() -> Path:
    """A folder with a small fit and a latency table, gone when Python ends."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-candidates-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    rng = np.random.default_rng(0)
    means = {"E": 1.5, "A_ref": 0.5, "alpha": 0.4, "B_ref": 0.5, "beta": 0.4, "kappa": 0.02, "R_star": 40.0}
    draws = {name: value * np.exp(0.02 * rng.normal(size=(2, 20))) for name, value in means.items()}
    constant = {"omega": 0.3, "tau": 0.002, "sigma": 0.002, "nu": 10.0, "sigma_fall_N": 0.0, "sigma_fall_D": 0.0}
    posterior.Posterior(
        law=forms.get_law("effective"),
        reference=Reference(N0=3e5, D0=1e6, R0=30, d0=96, n0=4, r0=1.5, x0=0.2, g0=2, L0=3.0, L_min=2.5),
        draws=draws | {name: np.full((2, 20), value) for name, value in constant.items()},
        effects_CSM=np.zeros((2, 20, 1)),
        model_ids=(SHAPES[0].name,),
    ).save(folder / "fit" / "posterior.nc")
    rows = []
    for shape in SHAPES:
        measured = {"device_kind": "cpu", "n_devices": 1, "dtype": "float32", "batch": 1, "prompt_tokens": 8}
        measured |= {"new_tokens": 8, "mode": "loop", "compile_s": 1.0, "count": 20, "floor_s": 0.002}
        tpot_s = 0.01 * shape.n_layers
        timed = {"ttft_s": tpot_s, "tpot_s": tpot_s, "e2e_s": 8 * tpot_s, "tokens_per_s": 1 / tpot_s}
        for metric, middle in timed.items():
            measured |= {metric: middle, f"{metric}_p10": 0.95 * middle, f"{metric}_p90": middle / 0.95}
            measured[f"{metric}_p99"] = 1.1 * middle
        rows.append(latency_table.latency_record(shape, **measured))
    cells.write_table(folder / "latency.csv", rows)
    return folder
