# make quickstart · make test · make lint; each builds .venv when it is missing or older than what it installs.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
export MPLBACKEND := Agg

SAMPLERS := .venv-samplers

.PHONY: quickstart test test-slow test-samplers lint format clean

quickstart: $(VENV)/.installed
	$(PY) run.py --config=configs/quickstart.py

test: $(VENV)/.installed
	$(PY) -m pytest -q

test-slow: $(VENV)/.installed
	$(PY) -m pytest -q -m "slow and not gpu"

# The extra `samplers`, in an environment of its own: other samplers must draw the same posterior (ten minutes).
test-samplers: $(SAMPLERS)/.installed
	$(SAMPLERS)/bin/python -m pytest -q -m slow tests/laws/test_independent_samplers.py

lint: $(VENV)/.installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ty check

format: $(VENV)/.installed
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

$(SAMPLERS)/.installed: pyproject.toml constraints.txt
	test -x $(SAMPLERS)/bin/python || $(PYTHON) -m venv $(SAMPLERS)
	$(SAMPLERS)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[test,samplers]'
	touch $@

clean:
	rm -rf $(VENV) $(SAMPLERS) runs
