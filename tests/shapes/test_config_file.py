"""A config.json that is no proper JSON is one line; a folder stands for the file in it."""

import json

import pytest

from ie_scaling.errors import InputError
from ie_scaling.shapes import config_file, lookup

CONFIG = {
    "model_type": "llama",
    "hidden_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 256,
    "vocab_size": 512,
}
TEXT = json.dumps(CONFIG)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"a": "\xff"}', "not UTF-8: byte 0xff at 7"),
        (TEXT.encode("utf-16"), "not UTF-8"),
        (b"", "not valid JSON"),
        (b"[" * 100_000, r"not valid JSON \(nested too deeply"),
        (b'{"a":' * 200 + b"1" + b"}" * 200, "nested too deeply"),
        (b'{"a": NaN}', "NaN is no JSON number"),
        (b'{"a": -Infinity}', "-Infinity is no JSON number"),
        (b'{"a": 1e400}', "the number '1e400' is too large"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "an integer of 10,000 digits"),
        (b'{"a": 1, "b": 2, "a": 1}', "the key 'a' stands twice"),
        (b'{"a": 1} x', "Extra data"),
        (b" " * (config_file.MAX_BYTES + 1), "longer than"),
    ],
    ids=range(12),
)
def test_what_is_no_proper_json_is_one_line(tmp_path, data, message):
    path = tmp_path / "config.json"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message) as error:
        lookup.resolve(str(path))
    assert str(error.value).startswith(f"{path}: not valid JSON (")
    assert len(str(error.value)) < 400
    assert "\n" not in str(error.value)


def test_a_folder_stands_for_its_config_and_a_byte_order_mark_is_no_error(tmp_path):
    (tmp_path / "config.json").write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    expected = "d128-n2-h2-k2-c64-f256-v512"
    assert lookup.resolve(str(tmp_path)).name == lookup.resolve(str(tmp_path / "config.json")).name == expected
    assert lookup.files_of([str(tmp_path), "qwen3-0.6b", "x.json"]) == [str(tmp_path / "config.json"), "x.json"]
    (tmp_path / "CONFIG.JSON").write_text(TEXT)
    (tmp_path / "no_suffix").write_text(TEXT)
    for name in ("CONFIG.JSON", "no_suffix"):
        assert lookup.resolve(str(tmp_path / name)).name == expected
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty/config\.json: no such file"):
        lookup.resolve(str(tmp_path / "empty"))
