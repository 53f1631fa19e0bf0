"""Columns that follow from others: tokens and parameters from compute, embeddings from the shape."""

import pytest

from ie_scaling import accounting
from ie_scaling.errors import InputError
from ie_scaling.laws.observations import Observations
from tests.tables.test_run_table import SHAPE, TIED, rows, shaped, write


@pytest.mark.parametrize(
    ("text", "columns", "remark"),
    [
        ("N,C,loss\n1e8,6e18,3\n", "{'n_params_total':'N','training_flops':'C'}", "/ (6 · n_params_total)"),
        ("N,C,loss\n1e8,6e18,3\n", "{'n_params_non_embedding':'N','training_flops':'C'}", "/ (6 · n_params_non_embedd"),
        (
            "D,C,loss\n1e10,6e18,3\n",
            "{'n_tokens':'D','training_flops':'C'}",
            "n_params_total = training_flops / (6 · n_t",
        ),
    ],
)
def test_tokens_or_parameters_follow_from_compute(tmp_path, text, columns, remark):
    found = rows(write(tmp_path, text), columns=columns)
    x = Observations.from_frame(found.frame).features
    assert (x.n_known[0], x.n_tokens[0]) == (1e8, 1e10)
    assert any(remark in line for line in found.remarks), found.remarks


def test_compute_from_which_tokens_follow_must_be_there(tmp_path):
    path = write(tmp_path, "N,C,loss\n1e8,6e18,3\n1e8,,3\n")
    with pytest.raises(InputError, match=r"row 2, column C: '' must not be blank"):
        rows(path, columns="{'n_params_total':'N','training_flops':'C'}")


def test_embeddings_follow_from_the_shape_where_it_tells_tied_from_untied(tmp_path):
    counts = [accounting.count_parameters(SHAPE), accounting.count_parameters(TIED)]
    found = rows(write(tmp_path, shaped(SHAPE, TIED, column="n_params_total", counts=counts)))
    non_embedding = accounting.count_non_embedding_parameters(SHAPE)
    assert found.frame["n_params_non_embedding"].tolist() == [non_embedding] * 2
    assert any("taken as tied in 1 rows and untied in 1" in remark for remark in found.remarks)
    other = rows(write(tmp_path, shaped(SHAPE, column="n_params_total", counts=[3 * counts[0]])))
    assert other.frame["n_params_non_embedding"].isna().all()  # neither: another kind of model


@pytest.mark.parametrize(("tied", "architecture"), [("true", TIED), ("0", SHAPE)])
def test_total_parameters_follow_from_non_embedding_ones_where_tying_is_known(tmp_path, tied, architecture):
    counts = [accounting.count_non_embedding_parameters(SHAPE)]
    text = shaped(SHAPE, column="n_params_non_embedding", counts=counts, extra="tied_embeddings", value=tied)
    found = rows(write(tmp_path, text))
    assert found.frame["n_params_total"].tolist() == [accounting.count_parameters(architecture)]
    unknown = rows(write(tmp_path, shaped(SHAPE, column="n_params_non_embedding", counts=counts)))
    assert unknown.frame["n_params_total"].isna().all()
