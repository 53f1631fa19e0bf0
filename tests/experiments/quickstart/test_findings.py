"""What is drawn from the stages' tables: seed noise, and predictions beside realized losses."""

import types

import numpy as np
import pandas as pd
import pytest

from experiments.quickstart import findings


def test_seed_noise_is_the_spread_over_seeds_beside_that_over_shapes_of_the_size():
    runs = pd.DataFrame(
        [
            {"model_id": "a", "n_tokens": 100, "n_params_total": 1000, "loss": 3.0},
            {"model_id": "a", "n_tokens": 100, "n_params_total": 1000, "loss": 3.2},
            {"model_id": "b", "n_tokens": 100, "n_params_total": 1200, "loss": 3.5},
            {"model_id": "c", "n_tokens": 100, "n_params_total": 2000, "loss": 9.0},  # another size
            {"model_id": "b", "n_tokens": 200, "n_params_total": 1200, "loss": 1.0},  # another budget
        ]
    )
    noise = findings.seed_noise(runs)
    assert (noise["n_runs"], noise["n_shapes"]) == (2, 2)
    assert noise["sd_over_seeds"] == pytest.approx(0.2 / 2**0.5)
    assert noise["sd_over_shapes"] == pytest.approx(0.4 / 2**0.5)
    assert noise["range_over_shapes"] == pytest.approx(0.4)
    assert findings.seed_noise(runs.iloc[1:]) is None


def test_outcomes_are_a_row_for_each_law_and_tested_shape():
    names = ["d8-n2-h1-k1-c8-f16-v270", "d16-n2-h1-k1-c8-f32-v270"]
    loss_WA = np.stack([np.linspace(2.9, 3.1, 101), np.linspace(3.9, 4.1, 101)], axis=1)

    def losses(features, *, level, seed, model_ids):
        assert (level, seed, model_ids, len(features.n_total)) == ("new_run", 5, names, 2)
        return types.SimpleNamespace(all=lambda: loss_WA)

    posterior = types.SimpleNamespace(identify=lambda shapes: [a.name for a in shapes], losses=losses)
    config = types.SimpleNamespace(select=types.SimpleNamespace(seed=5))
    tests = pd.DataFrame({"model_id": names, "n_tokens": [1000, 1000], "loss": [3.0, 5.0]})
    stages = types.SimpleNamespace(config=config, tests=tests, posteriors={"chinchilla": posterior})
    first, second = findings.outcomes(stages, dict(zip(names, ("recommended", "rated poor"), strict=True)))
    assert (first["architecture"], first["role"], first["law"]) == (names[0], "recommended", "chinchilla")
    assert (first["prediction"], first["lo90"], first["hi90"]) == pytest.approx((3.0, 2.91, 3.09))
    assert first["error_percent"] == pytest.approx(0)
    assert (first["inside"], second["inside"]) == (True, False)
    assert second["error_percent"] == pytest.approx(-20)


def test_a_label_is_width_by_depth():
    assert findings.label_of("d8-n2-h1-k1-c8-f16-v270") == "8×2"
