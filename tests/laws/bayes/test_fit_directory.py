"""Which of two files a fit directory gives, and of which law."""

import pytest

from ie_scaling.errors import InputError
from ie_scaling.laws.bayes import posterior as posterior_lib
from ie_scaling.running import files
from tests.laws import small_posterior


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / "posterior.nc"
    small_posterior.make().save(path)
    return path


@pytest.fixture(scope="module")
def content(path):
    return path.read_bytes()


@pytest.mark.parametrize(
    ("config", "written", "message"),
    [
        (
            {"experiment": "fit", "method": "both", "n_bootstrap": 10},
            ["bootstrap.nc"],
            "has no posterior.nc, which its",
        ),
        ({"experiment": "fit", "method": "bayes"}, [], "has no posterior.nc, which its config.json requested; finish"),
        (
            {"experiment": "fit", "method": "least_squares", "n_bootstrap": 10},
            ["posterior.nc"],
            "has no bootstrap.nc, which its config.json requested; posterior.nc is another method's",
        ),
        ({"experiment": "fit", "method": "least_squares"}, [], "has neither posterior.nc nor bootstrap.nc"),
    ],
)
def test_a_fit_gives_what_it_was_asked_for_or_nothing(tmp_path, content, config, written, message):
    files.write_json(tmp_path / "config.json", config)
    for name in written:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        posterior_lib.load_fit(tmp_path)


@pytest.mark.parametrize(("method", "expected"), [("both", "bayes"), ("least_squares", "bootstrap")])
def test_of_two_files_the_configuration_chooses(tmp_path, method, expected):
    files.write_json(tmp_path / "config.json", {"experiment": "fit", "method": method, "n_bootstrap": 10})
    small_posterior.make("bayes").save(tmp_path / "posterior.nc")
    small_posterior.make("bootstrap").save(tmp_path / "bootstrap.nc")
    assert posterior_lib.load_fit(tmp_path).method == expected


@pytest.mark.parametrize(("method", "name"), [("bootstrap", "posterior.nc"), ("bayes", "bootstrap.nc")])
def test_draws_under_the_name_of_another_method_are_refused(tmp_path, method, name):
    small_posterior.make(method).save(tmp_path / name)
    with pytest.raises(InputError, match=f"{name}: holds draws of method '{method}', not what its name says"):
        posterior_lib.load_fit(tmp_path)


def test_draws_of_another_law_than_was_asked_for_are_refused(tmp_path):
    files.write_json(tmp_path / "config.json", {"experiment": "fit", "method": "bayes", "law": "width_depth"})
    small_posterior.make("bayes").save(tmp_path / "posterior.nc")
    with pytest.raises(InputError, match="not 'width_depth'"):
        posterior_lib.load_fit(tmp_path)
