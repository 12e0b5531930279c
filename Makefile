# The two commands of a newcomer are `make run` and `make test`; CONTRIBUTING.md explains the rest.
BUILD := build/release
JOBS ?= $(shell getconf _NPROCESSORS_ONLN)
MODEL ?= smollm2
PROMPT ?= Why is the sky blue? Answer in two sentences.

.PHONY: help run test build bootstrap model format lint soak bench clean

help:
	@echo "make run     install what is missing, build, get the default model ($(MODEL)) and answer a prompt"
	@echo "             (PROMPT='...' asks something else)"
	@echo "make test    build everything and run every test"
	@echo "make soak    the long forms of the tests"
	@echo "make bench   measure the default model and every matmul kernel on this machine"
	@echo "make lint    check format and clang-tidy;  make format  put the sources into format"
	@echo "make clean   remove build/"

bootstrap:
	@scripts/bootstrap.sh

$(BUILD)/build.ninja: CMakePresets.json | bootstrap
	@echo "== Configure $(BUILD)"
	@cmake --preset release
	@touch $@

# The command alone: what `make run` needs.
build: $(BUILD)/build.ninja
	@echo "== Build the command"
	@ninja -C $(BUILD) -j $(JOBS) ingle

model: build
	@scripts/get_default_model.sh $(BUILD)/ingle

run: model
	@echo "== $(BUILD)/ingle run $(MODEL)"
	@$(BUILD)/ingle run --verbose "$(MODEL)" "$(PROMPT)" < /dev/null

test: $(BUILD)/build.ninja
	@echo "== Build everything"
	@ninja -C $(BUILD) -j $(JOBS)
	@echo "== Run the tests"
	@ctest --test-dir $(BUILD) --output-on-failure --no-tests=error -j $(JOBS)

soak: $(BUILD)/build.ninja
	@scripts/soak.sh $(BUILD)

bench: model
	@echo "== $(BUILD)/ingle bench $(MODEL)"
	@$(BUILD)/ingle bench "$(MODEL)"
	@ninja -C $(BUILD) -j $(JOBS) matmul_bench
	@echo "== Kernels against the limits of this machine"
	@$(BUILD)/benchmarks/matmul_bench

format:
	@scripts/list_sources.sh | xargs clang-format-16 -i

lint: $(BUILD)/build.ninja
	@scripts/lint.sh $(BUILD)

clean:
	rm -rf build
