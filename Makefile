# make bench   from a fresh clone to a report on real data
# make test    the same set-up, then the whole test suite
# make prove   what is measured beside what is true: goals met, or missed (python -m prove --list says how long; prove-short: a minute)
# make check   format, lint and types
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: bench test test-integrations prove prove-short check format clean

# Every target starts many Pythons: where modules may not be cached, each compiles all that it imports anew.
unexport PYTHONDONTWRITEBYTECODE

# Threads of torch that wait for each other by spinning make no progress for seconds where another process has their core:
# one pass over the images took 0.6 s, or 3. The record says what was set.
bench: export OMP_WAIT_POLICY ?= PASSIVE
bench: $(VENV)/installed
	$(BIN)/python -m pytest benches --quick --benchmark-quiet; status=$$?; \
	$(BIN)/loaderbench report && exit $$status

# In three processes, as many tests wait, each file in one of them: its tests share what its fixtures made.
test: $(VENV)/installed
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

# Launchers of ranks, and scripts of other libraries, watched; the libraries are installed into the same environment.
test-integrations: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -r tests/integrations/requirements.txt
	$(BIN)/python -m pytest -rs tests/integrations -m integrations

# Optuna and loadtune are what tune is compared with: a table of `make prove` says where one could not be installed.
prove: $(VENV)/installed
	-$(BIN)/python -c "import optuna" 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock "optuna>=5"
	-$(BIN)/python -c "import loadtune" 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock loadtune
	$(BIN)/python -m prove

prove-short: $(VENV)/installed
	$(BIN)/python -m prove --short

# mypy cannot see an editable install's mapped packages: it reads them through a link of their name.
check: $(VENV)/installed
	mkdir -p $(VENV)/typing && ln -sfn ../.. $(VENV)/typing/loaderbench
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy -p loaderbench.benches -p loaderbench.datasets -p loaderbench.reports -p prove

format: $(VENV)/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
