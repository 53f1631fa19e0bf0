"""What the quickstart prints, from the files that its stages left."""

import pandas as pd

from experiments import quickstart
from ie_scaling.running import files


def test_the_candidates_the_recommendation_and_how_it_fared_are_printed(tmp_path, capsys):
    files.write_json(tmp_path / "config.json", {"experiment": "quickstart", "decision_law": "effective"})
    noise = {"n_runs": 3, "sd_over_seeds": 0.012, "n_shapes": 3, "sd_over_shapes": 0.034, "range_over_shapes": 0.07}
    summary = {"recommendation": "recommended: wide", "unigram_entropy": 5.2, "lowest_loss": 3.2, "seed_noise": noise}
    files.write_json(tmp_path / "summary.json", summary)
    rows = [dict.fromkeys(quickstart.SHOWN, 0.5) | {"architecture": name} for name in ("deep", "wide")]
    rows[0] |= {"loss_mean": 3.4, "recommended": False}
    rows[1] |= {"loss_mean": 3.3, "recommended": True}
    (tmp_path / "select" / "effective").mkdir(parents=True)
    pd.DataFrame(rows).to_csv(tmp_path / "select" / "effective" / "candidates.csv", index=False)
    pd.DataFrame({"architecture": ["wide"], "loss": [3.28]}).to_csv(tmp_path / "test.csv", index=False)
    quickstart.show(tmp_path)
    printed = capsys.readouterr().out
    assert printed.index("wide") < printed.index("deep")  # by predicted loss
    assert "\nrecommended: wide\n" in printed
    assert "3.2800" in printed
    assert "unigram entropy 5.200, lowest loss 3.200 nats/token" in printed
    assert "sd over seeds 0.0120, over shapes of one size 0.0340" in printed
    assert printed.splitlines()[-1] == f"report: {tmp_path / 'report.html'}"
    files.write_json(tmp_path / "summary.json", summary | {"seed_noise": None})
    quickstart.show(tmp_path)
    assert "sd over seeds" not in capsys.readouterr().out
