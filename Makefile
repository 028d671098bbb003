# SPDX-License-Identifier: Apache-2.0
# A front over CMake presets; CMakeLists.txt is the build.

JOBS ?= $(shell nproc)
# Tests with real hosts or programs of their own mostly wait: one more at a time than there are CPUs.
TEST_JOBS = $(shell expr $(JOBS) + 1)
DESTDIR ?=
PREFIX ?= /usr/local
AS_ROOT := $(filter 0,$(shell id -u))

# $(call stage,NAME,COMMAND): says what runs, how long it took, and who failed.
define stage
	@echo "== $(1)"
	@began=$$(date +%s); { $(2); } || \
		{ status=$$?; echo "make $@: stage '$(1)' failed" >&2; exit $$status; }; \
		echo "== $(1): $$(($$(date +%s) - began)) s"
endef

# $(call preset,NAME[,OPTIONS]): configures and builds.
preset = cmake --preset $(1) $(2) >build/$(1).log 2>&1 || { cat build/$(1).log; false; } && \
	nice cmake --build --preset $(1) --parallel $(JOBS) -- --quiet

FUZZERS = cmake -S . -B build/fuzz -G Ninja -DFUZZ=ON -DCMAKE_C_COMPILER=clang \
	-DCMAKE_BUILD_TYPE=RelWithDebInfo >build/fuzz.log 2>&1 || { cat build/fuzz.log; false; } && \
	nice cmake --build build/fuzz --parallel $(JOBS) -- --quiet

# $(call run,PRESET,WHICH): tests that leave the CPUs to those on real hosts.
run = nice ctest --preset $(1) -j $(TEST_JOBS) $(2)

.PHONY: help build test test-hosts test-elsewhere demo demo-failover bench install clean

help:
	@echo 'make build     build/berth and build/berthd, as they are shipped'
	@echo 'make demo      a fleet of real hosts, and berthd keeping it as es.xml says'
	@echo 'make demo-failover   the same when a host loses its power'
	@echo 'make test      every test there is; needs root for the real hosts'
	@echo 'make bench     how fast and how good plans are'
	@echo 'make install   to $$(DESTDIR)$$(PREFIX), default /usr/local'
	@echo 'make clean     remove build/'
	@echo 'Missing Debian packages are installed where root runs this. JOBS=N limits parallel work.'

build:
	@mkdir -p build
	$(call stage,packages,tools/packages.sh build)
	$(call stage,release build,$(call preset,release))
	@for program in berth berthd; do \
		[ ! -e build/release/$$program ] || ln -sfn release/$$program build/$$program; done

test:
	@mkdir -p build
	$(call stage,packages,tools/packages.sh build test)
	$(call stage,scripts,shellcheck tools/*.sh tests/lab/lab tests/lab/lab-image tests/lab/host-init \
		tests/lab/fence_lab tests/lab/host-volume tests/lab/standin tests/lab/guest-init \
		tests/conformance/on_lab)
	$(call stage,format,find . -path ./build -prune -o -name '*.[ch]' -print0 | \
		xargs -0 clang-format --dry-run -Werror)
	$(call stage,release build,$(call preset,release,-DCMAKE_COMPILE_WARNING_AS_ERROR=ON))
	$(call stage,architecture and style,python3 tests/arch/check.py build/release)
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=line test-hosts test-elsewhere

# Both of these run at the same time: real hosts are waited for most of the time, and the rest has what
# they leave of the CPUs.
test-hosts:
	$(if $(AS_ROOT),$(call stage,tests on real hosts, \
		ctest --preset release -j $(TEST_JOBS) -L '^lab$$'))
	@$(if $(AS_ROOT),true,echo 'make test: NOT RUN, because they need root: the tests of label lab')

# Thread checks only where there are threads: not of pure functions, of the controller on simulated seams, nor
# of the control API, whose tests wait for clients' time-outs besides.
test-elsewhere:
	$(call stage,clang build with address and undefined behaviour checks,$(call preset,asan))
	$(call stage,tests with address and undefined behaviour checks, \
		$(call run,asan,-LE '^(lab|bench)$$'))
	$(call stage,clang build with thread checks,$(call preset,tsan))
	$(call stage,tests with thread checks,$(call run,tsan,-LE '^(lab|bench|pure|deterministic|api)$$'))
	$(call stage,clang build of the fuzzers,$(FUZZERS))
	$(call stage,a moment of fuzzing,nice ctest --test-dir build/fuzz --output-on-failure -j $(TEST_JOBS) \
		-L '^fuzz$$')
	$(call stage,other tests of the release build,$(call run,release,-LE '^(lab|bench)$$'))

demo: build
	$(if $(AS_ROOT),$(call stage,packages of the demonstration,tools/packages.sh demo))
	$(call stage,demonstration,tools/demo.sh)

demo-failover: build
	$(if $(AS_ROOT),$(call stage,packages of the demonstration,tools/packages.sh demo))
	$(call stage,demonstration,tools/demo_failover.sh)

bench: build
	$(call stage,benchmarks,ctest --preset release -L '^bench$$' -V --no-tests=error)

install: build
	$(call stage,install,DESTDIR='$(DESTDIR)' cmake --install build/release --prefix '$(PREFIX)')

clean:
	rm -rf build
