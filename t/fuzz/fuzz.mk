# Fuzzing: each t/fuzz/fuzz_NAME.c is a target of libFuzzer, linked with the
# pure layers and t/unit/unit.c, under address and undefined-behaviour
# sanitizers.
#
#   make fuzz                       each target for a minute
#   make fuzz FUZZ=json SECONDS=600
#   make fuzz FUZZ="id filter" RUNS=100000
#   make fuzz-ci                    what CI runs: a fixed number of runs each,
#                                   from t/fuzz/corpus alone, always the same
#
# What a run learns is kept in build/fuzz/corpus/TARGET and goes on from there.
#
# A finding is written to build/fuzz/findings/TARGET-crash-..., and the run
# ends with the check that failed or the sanitizer's report, and this line,
# which does it again (the input alone, no fuzzing):
#
#   build/fuzz/fuzz_TARGET build/fuzz/findings/TARGET-crash-...
#
# It is made small with
#
#   build/fuzz/fuzz_TARGET -minimize_crash=1 -runs=100000 FILE
#
# and, once it is fixed, stays in t/fuzz/corpus/TARGET under a name that says
# what it was: each run of a target begins with all of its corpus.  A wrong
# behaviour becomes a case of the matching test in t/unit, too.
#
#   make -f t/fuzz/fuzz.mk merge FUZZ=json   what build/fuzz/corpus/json has
#                                            more than t/fuzz/corpus/json, in
#                                            build/fuzz/merged/json

BUILDDIR  ?= build
BUILD     := $(BUILDDIR)/fuzz

CLANG     ?= clang
NGINX_SRC ?= /usr/share/nginx/src

ifneq ($(wildcard $(BUILDDIR)/nginx/objs/ngx_auto_config.h),)
NGX_SRC   ?= $(BUILDDIR)/nginx
else
NGX_SRC   ?= $(BUILD)/nginx
endif

NGX_OBJS  ?= $(NGX_SRC)/objs

DIALECTS  := $(patsubst lua/dialects/%.lua,%,$(wildcard lua/dialects/*.lua))
TARGETS   := json xml $(DIALECTS:%=dialect_%) sigv4 id filter patch loader \
             query pattern

FUZZ      ?= $(TARGETS)
SECONDS   ?= 60
RUNS      ?=
SEED      ?= 1

# as many as take a few seconds

CI_RUNS_json    := 300000
CI_RUNS_xml     := 200000
CI_RUNS_sigv4   := 12000
CI_RUNS_id      := 40000
CI_RUNS_filter  := 300000
CI_RUNS_patch   := 300000
CI_RUNS_loader  := 4000
CI_RUNS_query   := 120000
CI_RUNS_pattern := 40000
CI_RUNS_dialect_faxfinder := 100000
CI_RUNS         := 200000

# an empty ngx_str_t is { 0, NULL }, and NULL + 0 is no error here

SANITIZE  := -fsanitize=address,undefined -fno-sanitize-recover=undefined \
             -fno-sanitize=pointer-overflow

FUZZ_CFLAGS := -std=gnu99 -g -O1 -fno-omit-frame-pointer \
             -Wall -Wextra -Wno-unused-parameter -Werror $(SANITIZE)
FUZZ_CPPFLAGS := -D_GNU_SOURCE \
             -isystem $(NGX_SRC)/src/core -isystem $(NGX_SRC)/src/event \
             -isystem $(NGX_SRC)/src/event/modules \
             -isystem $(NGX_SRC)/src/os/unix -isystem $(NGX_OBJS) \
             -Isrc/model -Isrc/codec -Isrc/auth -Isrc/policy -Isrc/dialect \
             -It/unit -It/fuzz \
             $(patsubst -I%,-isystem %,$(shell pkg-config --cflags luajit))
FUZZ_LIBS := -lyajl -lexpat -lcrypto -lluajit-5.1

objs       = $(patsubst %.c,$(BUILD)/%.o,$(wildcard $(1)))

BASE      := $(BUILD)/t/unit/unit.o $(BUILD)/t/fuzz/fuzz.o \
             $(call objs,src/model/*.c) $(call objs,src/codec/*.c)
BINARIES  := $(TARGETS:%=$(BUILD)/fuzz_%)


.PHONY: fuzz ci merge build
.SECONDARY:

fuzz: $(FUZZ:%=$(BUILD)/fuzz_%)
	@BUILD='$(BUILD)' SECONDS_EACH='$(SECONDS)' RUNS='$(RUNS)' \
	    SEED='$(SEED)' t/fuzz/run $(FUZZ)

ci: $(FUZZ:%=$(BUILD)/fuzz_%)
	@BUILD='$(BUILD)' SEED='$(SEED)' t/fuzz/run \
	    $(foreach t,$(FUZZ),$(t)=$(or $(CI_RUNS_$(t)),$(CI_RUNS)))

merge: $(FUZZ:%=$(BUILD)/fuzz_%)
	@for target in $(FUZZ); do \
	    rm -rf $(BUILD)/merged/$$target; \
	    mkdir -p $(BUILD)/merged/$$target $(BUILD)/corpus/$$target; \
	    cp t/fuzz/corpus/$$target/* $(BUILD)/merged/$$target; \
	    $(BUILD)/fuzz_$$target -merge=1 $(BUILD)/merged/$$target \
	        $(BUILD)/corpus/$$target; \
	done

build: $(BINARIES)


# what a target needs beside the base

$(BUILD)/fuzz_sigv4: $(call objs,src/auth/*.c)
$(BUILD)/fuzz_filter: $(call objs,src/dialect/ngx_group_filter*.c)
$(BUILD)/fuzz_patch: $(call objs,src/dialect/ngx_group_patch*.c)
$(BUILD)/fuzz_pattern: $(call objs,src/policy/ngx_group_pattern*.c) \
    $(BUILD)/src/policy/ngx_group_lua.o
$(BUILD)/fuzz_query $(BUILD)/fuzz_loader \
    $(DIALECTS:%=$(BUILD)/fuzz_dialect_%): $(call objs,src/dialect/*.c)

$(BUILD)/fuzz_loader: FUZZ_LDFLAGS := -Wl,--wrap=luaL_loadfilex \
    -Wl,--wrap=luaL_newstate

$(BUILD)/fuzz_%: $(BUILD)/t/fuzz/fuzz_%.o $(BASE)
	$(CLANG) -fsanitize=fuzzer $(SANITIZE) -o $@ $(filter %.o,$^) \
	    $(FUZZ_LDFLAGS) $(FUZZ_LIBS)

$(BUILD)/t/fuzz/fuzz_dialect_%.o: t/fuzz/fuzz_dialect.c \
    | $(NGX_OBJS)/ngx_auto_config.h
	@mkdir -p $(@D)
	$(CLANG) -fsanitize=fuzzer-no-link $(FUZZ_CFLAGS) $(FUZZ_CPPFLAGS) \
	    -DFUZZ_DIALECT='"$*"' -MMD -MP -c -o $@ $<

$(BUILD)/%.o: %.c | $(NGX_OBJS)/ngx_auto_config.h
	@mkdir -p $(@D)
	$(CLANG) -fsanitize=fuzzer-no-link $(FUZZ_CFLAGS) $(FUZZ_CPPFLAGS) \
	    -MMD -MP -c -o $@ $<

# nginx's configure wants to write next to itself: a tree of links

$(BUILD)/nginx/objs/ngx_auto_config.h:
	@mkdir -p $(@D)
	@ln -sf $(abspath $(NGINX_SRC))/auto $(abspath $(NGINX_SRC))/src \
	    $(abspath $(NGINX_SRC))/configure $(BUILD)/nginx/
	cd $(BUILD)/nginx && ./configure --with-compat --with-threads \
	    --without-http --without-http-cache >configure.log

# make need not look for a way to make these

%.d: ;

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
