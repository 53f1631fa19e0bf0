"""Run tables under a map of columns: filters before judgment, derived columns, made-up names, tables together."""

from pathlib import Path

import numpy as np
import pytest

from ie_scaling.architecture import Architecture
from ie_scaling.errors import InputError
from ie_scaling.laws import forms, reading
from ie_scaling.laws.least_squares import solver
from ie_scaling.laws.observations import Observations
from ie_scaling.laws.problem import pose
from ie_scaling.tables import run_source

DATA = Path(__file__).resolve().parents[2] / "data"
SHAPE = Architecture(d_model=512, n_layers=8, n_heads=8, n_kv_heads=8, d_head=64, d_ff=1536, vocab_size=50432)
TIED = Architecture.from_fields(SHAPE.to_fields() | {"tied_embeddings": True})
HEADER = "run_id,n_params_total,n_tokens,loss\n"


def write(folder: Path, text: str, name: str = "runs.csv") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def rows(path: str, where: str = "", columns: str = "") -> run_source.Rows:
    runs = run_source.open_runs(path, columns)
    return runs.judge(runs.filter(where))


def shaped(*architectures: Architecture, column: str, counts: list[int], extra: str = "", value: str = "") -> str:
    """A table of these shapes with one column of counts, and perhaps another column of one value."""
    fields = ("d_model", "n_layers", "n_heads", "n_kv_heads", "d_head", "d_ff", "vocab_size")
    lines = [",".join((*fields, column, "n_tokens", "loss", *([extra] if extra else [])))]
    for architecture, count in zip(architectures, counts, strict=True):
        cells = [*(getattr(architecture, field) for field in fields), count, 10**10, 3.0, *([value] if extra else [])]
        lines.append(",".join(map(str, cells)))
    return "\n".join(lines) + "\n"


def test_rows_need_one_number_of_parameters(tmp_path):
    text = "run_id,n_params_total,n_params_non_embedding,n_tokens,loss\na,1e8,,1e10,3\nb,,9e7,1e10,3\nc,,,1e10,3\n"
    path = write(tmp_path, text)
    assert np.isnan(rows(path, "run_id != 'c'").frame["n_params_total"]).tolist() == [False, True]
    with pytest.raises(InputError, match=r"row 3, column n_params_total: .* must not be blank without"):
        rows(path)


def test_models_of_several_sizes_or_shapes_are_refused(tmp_path):
    near = HEADER.replace("run_id", "model_id") + "m,100000000,1e10,3.0\nm,100400000,2e10,2.9\n"
    assert len(Observations.from_frame(rows(write(tmp_path, near)).frame).model_ids) == 1
    with pytest.raises(InputError, match=r"runs\.csv: row 1: model_id 'm' names models of 2 sizes"):
        reading.read(write(tmp_path, near.replace("100400000", "102000000")))
    wider = Architecture.from_fields(SHAPE.to_fields() | {"d_ff": 1600, "n_layers": 8})
    text = shaped(SHAPE, wider, column="n_params_total", counts=[10**8] * 2, extra="model_id", value="m")
    with pytest.raises(InputError, match=r"model_id 'm' names models of 2 sizes \(d_ff 1536, 1600\)"):
        reading.read(write(tmp_path, text))


def test_few_models_are_warned_of(tmp_path, capsys):
    path = write(tmp_path, HEADER + "".join(f"r{i},{i}e8,1e10,3.{i}\n" for i in range(1, 5)))
    (warning,) = reading.warn_of_few_models(reading.read(path)).warnings
    assert "4 rows of 4 models; a posterior or bootstrap over fewer than 5" in warning
    assert warning in capsys.readouterr().err


@pytest.mark.parametrize("digits", [310, 400, 5000])
def test_whole_numbers_of_many_digits_are_refused_in_a_line(tmp_path, digits):
    path = write(tmp_path, HEADER + f"a,{'9' * digits},1e10,3.0\n")
    with pytest.raises(InputError, match=r"row 1, column n_params_total: '99.*' must be finite") as caught:
        rows(path)
    assert len(str(caught.value)) < 400


def test_sardana_2024_is_read_and_fitted():
    """47 runs of 150M to 6B parameters, no shapes: law `chinchilla` on total parameters."""
    found = reading.read(DATA / "sardana2024.csv")
    assert (len(found), len(found.model_ids), found.warnings) == (47, 47, ())
    assert found.features.n_tokens.max() / found.features.n_total.min() > 1000
    fitted = solver.fit(pose(forms.get_law("chinchilla"), found), n_starts=8)
    assert fitted.status == "converged"
    assert np.median(np.abs(fitted.predict(found.features) - found.log_loss_R)) < 0.01
