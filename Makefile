# Set up, run and test guyverd. `make` alone says what can be done.

# As they were typed: make neither expands what is in them nor passes them on in a form that it does.
export RUN_PHOTOS := $(value PHOTOS)
export RUN_PEOPLE := $(value PEOPLE)
unexport PHOTOS PEOPLE

BIN := .venv/bin

.NOTPARALLEL:
.PHONY: help run setup setup-dev test torture check bench example clean

help:
	@echo 'make run PHOTOS=DIR [PEOPLE=DIR]  find the people in the photos in DIR and keep a folder of links for each'
	@echo '                                  (PEOPLE: where those folders go; unless told, People beside DIR)'
	@echo 'make setup                        only install what `make run` needs, into .venv'
	@echo 'make test                         install what the tests need, check the code and run all tests'
	@echo 'make torture                      break every promise of docs/promises.md on purpose, for as long as it takes'
	@echo 'make check                        only the checks: ruff, mypy, import-linter'
	@echo 'make bench                        run the benchmarks'
	@echo 'make example                      write config.example.yaml anew from the code'
	@echo 'make clean                        remove .venv and everything else that was made here'
	@echo
	@echo 'PYTHON=/path/to/python3.12 chooses the Python.'

run:
	@sh scripts/run --check
	@sh scripts/setup run
	@exec sh scripts/run

setup:
	@sh scripts/setup run

setup-dev:
	@sh scripts/setup dev

# Two processes, as it is meant for two cores; the tests of each file stay in order in one of them.
test: check
	$(BIN)/pytest -n 2 --dist loadfile

torture: setup-dev
	$(BIN)/pytest --torture

check: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup-dev
	@found=; for file in benchmarks/*.py; do \
	    if grep -qs '^if __name__ == ' "$$file"; then \
	        found=yes; echo "== $$file"; $(BIN)/python "$$file" || exit; \
	    fi; \
	done; [ -n "$$found" ] || echo 'There are no benchmarks yet.'

example: setup
	@$(BIN)/python -c 'from guyverd.config import example; print(example(), end="")' >config.example.yaml

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
