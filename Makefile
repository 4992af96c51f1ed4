# One command for each need; CONTRIBUTING.md explains. Every target installs what it lacks.
.PHONY: demo test build format tidy sanitize neon fuzz conformance conformance-long \
        differential-long simulate-soak clean

demo: ## a real cluster of 4 engines, a DAG, retries, a killed engine, and the stock scheduler beside it
	tools/demo.sh

test: ## every test that CI runs
	tools/test.sh

build: ## .build/release/yardmaster
	tools/bootstrap.sh
	swift build -c release --product yardmaster

format: ## reformat Swift and C
	tools/bootstrap.sh test
	tools/tidy.py --format

tidy: ## format, sizes, wording, unsafe code
	tools/bootstrap.sh test
	tools/tidy.py

sanitize: ## the Swift and C tests under AddressSanitizer, ThreadSanitizer and checks of undefined behaviour
	tools/bootstrap.sh test
	tools/sanitize.sh

neon: ## the NEON kernels under qemu-aarch64
	Tests/Neon/neon.sh

SECONDS = 60
fuzz: ## each fuzz target for SECONDS (60), with libFuzzer; CONTRIBUTING.md says what to do then
	tools/bootstrap.sh test
	Tests/Fuzz/run.sh all $(SECONDS)

conformance: build ## two of ipyparallel's own test files on yardmaster
	tools/bootstrap.sh test
	Tests/Conformance/run.sh lbview dependency

conformance-long: build ## all of them, hwm 1 and 0, and with CURVE
	tools/bootstrap.sh test
	tools/conformance-long.sh

differential-long: build ## 1,000 random scripts against the Python TaskScheduler
	tools/bootstrap.sh test
	.venv/bin/python Tests/Differential/run.py --scripts 1000

SOAK_SECONDS ?= 600
simulate-soak: ## random seeds in the simulator for SOAK_SECONDS, long runs
	tools/bootstrap.sh
	swift build -c release --product simulate
	.build/release/simulate --duration $(SOAK_SECONDS) --events 20000 --census

clean:
	rm -rf .build perf/build
