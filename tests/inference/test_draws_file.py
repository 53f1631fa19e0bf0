"""A file of draws: read back as written, refused where any byte is another, and one error on a full disk."""

import subprocess
import sys
import warnings

import h5py
import numpy as np
import pytest
import xarray as xr

from ie_scaling.errors import InputError
from ie_scaling.inference import draws_file

BLOCK = 4096


@pytest.fixture
def path(tmp_path):
    """Some forty blocks."""
    rng = np.random.default_rng(0)
    draws = xr.Dataset({"E": (("chain", "draw"), rng.normal(size=(2, 5000)))}, coords={"chain": [0, 1]})
    rows = xr.Dataset({"log_loss": ("run", rng.normal(size=10))}, coords={"run": np.array(list("abcdefghij"))})
    draws_file.write(tmp_path / "posterior.nc", {"posterior": draws, "observed_data": rows}, {"law": "mine"})
    return tmp_path / "posterior.nc"


def test_what_was_written_is_read(path):
    posterior, groups = draws_file.read(path)
    assert posterior["E"].to_numpy().tolist() == np.random.default_rng(0).normal(size=(2, 5000)).tolist()
    assert draws_file.text(path, posterior, "law") == "mine"
    assert groups["observed_data"]["run"].to_numpy().tolist() == list("abcdefghij")


def test_other_readers_of_netcdf_read_it_too(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # arviz 0.23 announces its successor on import
        import arviz
    assert arviz.from_netcdf(path).posterior["E"].shape == (2, 5000)
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        assert tree["posterior"].attrs["law"] == "mine"


def test_every_block_of_zeros_is_refused(path):
    """Of 40 such blocks of a posterior, 6 gave other draws and nothing was said."""
    whole = path.read_bytes()
    n_blocks = -(-len(whole) // BLOCK)
    assert n_blocks >= 20
    for block in range(n_blocks):
        part = whole[block * BLOCK : (block + 1) * BLOCK]
        if not any(part):
            continue
        path.write_bytes(whole[: block * BLOCK] + bytes(len(part)) + whole[(block + 1) * BLOCK :])
        with pytest.raises(InputError, match=r"posterior\.nc: (is not what was written|not a netCDF|does not end)"):
            draws_file.read(path)


def test_a_changed_value_is_refused_however_it_came(path):
    with h5py.File(path, "r+") as file:
        file["posterior/E"][0, 0] = 2.0
    with pytest.raises(InputError, match="does not end in its checksum"):  # HDF5 cuts it off
        draws_file.read(path)
    path.write_bytes(path.read_bytes() + draws_file.seal(b"other bytes"))
    with pytest.raises(InputError, match="is not what was written"):
        draws_file.read(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a netCDF posterior"),
        (b"not netCDF", "not a netCDF posterior"),
        (draws_file.MAGIC, "does not end in its checksum"),
        (draws_file.MAGIC + draws_file.seal(draws_file.MAGIC), "not a netCDF posterior"),
    ],
)
def test_what_is_no_such_file_is_one_line(tmp_path, content, message):
    path = tmp_path / "posterior.nc"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        draws_file.read(path)
    assert "\n" not in str(caught.value)


def test_a_file_without_a_posterior_is_refused(tmp_path):
    draws_file.write(tmp_path / "posterior.nc", {"prior": xr.Dataset({"E": 1.0})}, {})
    with pytest.raises(InputError, match="has no posterior group"):
        draws_file.read(tmp_path / "posterior.nc")


def test_a_file_without_a_checksum_is_refused(path):
    path.write_bytes(path.read_bytes()[: -draws_file.N_SEAL])
    with pytest.raises(InputError, match="written by an earlier version or another program; fit again"):
        draws_file.read(path)


def test_a_full_disk_is_one_error_and_leaves_nothing(tmp_path):
    """A limit on the size of files stands for the disk; HDF5, writing to it itself, ends the process."""
    program = """
import resource, sys, numpy as np, xarray as xr
from pathlib import Path
from ie_scaling.inference import draws_file
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
draws = xr.Dataset({"E": (("chain", "draw"), np.zeros((2, 5000)))})
try:
    draws_file.write(Path(sys.argv[1]) / "posterior.nc", {"posterior": draws}, {})
except ValueError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "posterior.nc: " in done.stdout
    assert "bytes of draws cannot be written (File too large)" in done.stdout
    assert list(tmp_path.iterdir()) == []
