# make quickstart · make test · make lint; each builds .venv when it is missing or older than what it installs.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
export MPLBACKEND := Agg


.PHONY: quickstart test test-slow test-samplers test-ray lint format clean

quickstart: $(VENV)/.installed
	$(PY) run.py --config=configs/quickstart.py

# Two processes, a file's tests in one of them: much of the suite is XLA compiling on one core.
test: $(VENV)/.installed
	$(PY) -m pytest -q -n 2 --dist loadfile

test-slow: $(VENV)/.installed
	$(PY) -m pytest -q -m "slow and not gpu"

# Extras, each in an environment of its own.
# samplers: other samplers must draw the same posterior (ten minutes).
test-samplers: .venv-samplers/.installed
	.venv-samplers/bin/python -m pytest -q -m slow tests/laws/bayes/test_independent_samplers.py

# ray: a sweep on a cluster of two nodes, one of which dies (two minutes).
test-ray: .venv-ray/.installed
	.venv-ray/bin/python -m pytest -q -m slow tests/train/executors/test_ray.py

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

.venv-samplers/.installed .venv-ray/.installed: .venv-%/.installed: pyproject.toml constraints.txt
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[test,$*]'
	touch $@

# torch and transformers, beside which benchmarks/train_step.py measures.
.venv-torch/.installed: pyproject.toml constraints.txt
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[peers]'
	touch $@

clean:
	rm -rf $(VENV) .venv-* runs
