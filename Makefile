# ngx_http_group_module: build, test, run, install.  `make help` lists all.
#
#   make                      against the installed nginx (Debian: nginx-dev)
#   make NGINX_SRC=DIR        against a source tree of nginx; builds that
#                             nginx, too, and tests with it
#   make WERROR=1             warnings are errors
#   make V=1                  shows the compiler's command lines
#   make ASAN=1               with address and undefined-behaviour sanitizers
#
# Everything goes to $(BUILDDIR); the source trees are not written to.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

ifdef ASAN
BUILDDIR    ?= build/asan
else
BUILDDIR    ?= build
endif

# Debian's nginx-dev: the tree that the installed nginx was built from,
# headers and configure only
DEBIAN_SRC  := /usr/share/nginx/src
NGINX_SRC   ?= $(DEBIAN_SRC)

prefix      ?= /usr
datadir     ?= $(prefix)/share
MODULESDIR  ?= $(or $(shell nginx -V 2>&1 | tr ' ' '\n' \
                 | sed -n 's/^--modules-path=//p'),$(prefix)/lib/nginx/modules)
LUADIR      ?= $(datadir)/nginx/lua/group
MODCONFDIR  ?= $(datadir)/nginx/modules-available

MODULE      := $(BUILDDIR)/ngx_http_group_module.so
TREE        := $(BUILDDIR)/nginx
OBJS        := $(TREE)/objs


# compiler: the hardening that Debian builds nginx with

CC          ?= cc
CC_OPT      ?= -g -O2 -fstack-protector-strong -Wformat \
               -Werror=format-security -D_FORTIFY_SOURCE=2 \
               -ffile-prefix-map=$(CURDIR)=.
LD_OPT      ?= -Wl,-z,relro -Wl,-z,now

ifdef WERROR
GROUP_CFLAGS := -Wall -Wextra -Werror -Wno-unused-parameter
else
GROUP_CFLAGS := -Wno-error
endif

ifdef ASAN
# nginx's pools would hide what the sanitizers look for: where nginx is
# built, too, each allocation is its own.  What it does itself that is
# undefined, such as memcpy() from NULL, is not looked for.
CC_OPT      := -g -O1 -fsanitize=address -fno-omit-frame-pointer \
               -DNGX_DEBUG_PALLOC=1
LD_OPT      := -fsanitize=address,undefined
GROUP_CFLAGS += -fsanitize=undefined -fno-sanitize-recover=undefined
endif


# nginx: installed, or a source tree

ifeq ($(NGINX_SRC),$(DEBIAN_SRC))
NGINX       ?= $(or $(shell command -v nginx 2>/dev/null),/usr/sbin/nginx)
CONF_FLAGS   = . ./conf_flags && set -- "$${NGX_CONF_FLAGS[@]}"
NGX_TARGETS := modules
ID_FILES    := $(NGINX_SRC)/conf_flags $(NGINX_SRC)/debian/*
else
NGINX       ?= $(CURDIR)/$(OBJS)/nginx
CONF_FLAGS   = set -- --with-compat --with-debug --with-threads \
               --with-pcre-jit --with-http_ssl_module --with-http_v2_module \
               --with-http_auth_request_module --with-http_realip_module \
               --with-http_gunzip_module --with-http_gzip_static_module \
               --with-http_slice_module --with-http_addition_module \
               --with-http_sub_module --with-http_stub_status_module
NGX_TARGETS := binary modules
ID_FILES    :=
endif

# more arguments of nginx's configure
NGINX_CONFIGURE ?=


# tests

T           ?= $(wildcard t/*.t)
JOBS        ?= 2
PROVE       ?= prove

# what tests of the pure layers run; made before them, because they run at
# the same time
UNITS       := $(patsubst t/unit/%.c,build/unit/%,$(wildcard t/unit/test_*.c))


# make weather: these one after another; WEATHERS='http2 tiny': only those.
# What starts no nginx with the module is the same in all of them.
WEATHERS    ?= http2 tiny reload workers modules newer asan valgrind
WEATHER_T   ?= $(filter-out t/bench.t t/emulators.t t/sigv4_oracle.t \
                 t/unit.t,$(T))

# all but what takes minutes under valgrind, or needs a worker's own title
VALGRIND_T  ?= $(filter-out t/example_% t/faults% t/group_policy_limits.t, \
                 $(WEATHER_T))

# the release of Debian whose nginx is "newer"
SUITE       ?= trixie

# prints where nginx's source is: what was given, or from Debian's archive
ifeq ($(NGINX_SRC),$(DEBIAN_SRC))
SOURCE      := t/weather/source.sh build/source
else
SOURCE      := echo '$(NGINX_SRC)'
endif


# what is installed when it is missing; a|b: either does

PACKAGES    := nginx nginx-dev gcc libc6-dev pkg-config|pkgconf \
               libluajit2-5.1-dev|libluajit-5.1-dev libyajl-dev \
               libexpat1-dev libssl-dev libpcre2-dev|libpcre3-dev \
               zlib1g-dev perl libmojolicious-perl libxml-libxml-perl \
               libnet-amazon-signature-v4-perl libhttp-message-perl curl \
               openssl

BENCH_PACKAGES := wrk nghttp2-client valgrind libnginx-mod-http-lua \
               libnginx-mod-http-js lua-cjson

WEATHER_PACKAGES := valgrind dpkg-dev xz-utils libnginx-mod-http-lua \
               libnginx-mod-http-js

LINT_PACKAGES := lua-check

# what examples run beside nginx; without them their tests are skipped
EXAMPLE_PACKAGES := redis-server libnginx-mod-http-lua

# nodejs and npm may be there from elsewhere; a playwright-core that asks for no
# newer nodejs than Debian 12's
CONSOLE_PACKAGES = $(PACKAGES) chromium \
               $(if $(shell command -v npm),,nodejs npm)
PLAYWRIGHT  ?= playwright-core@1.49.1

FUZZ_PACKAGES := clang libclang-rt-14-dev|libclang-rt-19-dev llvm

# Debian 12 has dh_nginx in nginx-dev
PACKAGE_PACKAGES := build-essential debhelper

PACKAGE_TEST_PACKAGES := debootstrap lintian man-db mandoc

# DEPS=no: do not look, do not install.  Runlevel 1 is for apt: it keeps the
# services of new packages (nginx on port 80) from being started.
DEPS        ?= yes


##
## Targets:

.PHONY: all
all: $(MODULE)              ## build the module (default)

.PHONY: deps
deps:                       ## install missing packages (Debian, apt)
ifneq ($(DEPS),no)
	@set -eu; missing=; \
	have() { \
	    test "$$(dpkg-query -W -f '$${db:Status-Status}' "$$1" \
	             2>/dev/null)" = installed; \
	}; \
	if ! command -v dpkg-query >/dev/null; then \
	    echo "deps: no dpkg here; please install what corresponds to" \
	         "Debian's:"; \
	    printf '    %s\n' $(foreach p,$(PACKAGES),'$(p)'); \
	    echo "and run make again with DEPS=no"; \
	    exit 1; \
	fi; \
	for names in $(foreach p,$(PACKAGES),'$(p)'); do \
	    found=; \
	    for name in $$(echo "$$names" | tr '|' ' '); do \
	        if have "$$name"; then found=1; fi; \
	    done; \
	    test -n "$$found" || missing="$$missing $${names%%|*}"; \
	done; \
	if test -z "$$missing"; then exit 0; fi; \
	echo "deps: missing:$$missing"; \
	if ! command -v apt-get >/dev/null; then \
	    echo "deps: no apt-get here; please install them and run make" \
	         "again"; \
	    exit 1; \
	fi; \
	sudo=; \
	if test "$$(id -u)" != 0; then \
	    if ! command -v sudo >/dev/null; then \
	        echo "deps: not root and no sudo; please run as root:"; \
	        echo "    apt-get install --no-install-recommends$$missing"; \
	        exit 1; \
	    fi; \
	    sudo=sudo; \
	fi; \
	set -x; \
	$$sudo apt-get update -q || \
	    echo "deps: apt-get update failed; going on with what is known"; \
	$$sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
	    apt-get install -q -y --no-install-recommends $$missing
endif

.PHONY: run
run: deps                   ## build, start vendors and gateway (Ctrl-C ends)
	@$(MAKE) --no-print-directory all
	@TEST_NGINX_BINARY='$(NGINX)' TEST_NGINX_MODULE='$(abspath $(MODULE))' \
	    perl examples/quickstart/run.pl --dir '$(BUILDDIR)/quickstart' \
	        $(ARGS)

.PHONY: test
test: deps                  ## build, run all tests (T=t/x.t: only that)
	@$(MAKE) --no-print-directory all
	@$(if $(UNITS),$(MAKE) -s -f t/unit/unit.mk $(UNITS))
	@echo "$(PROVE) $(T)"
	@env -u MAKEFLAGS -u MAKELEVEL TEST_NGINX_BINARY='$(NGINX)' \
	    TEST_NGINX_MODULE='$(abspath $(MODULE))' \
	    $(if $(ASAN),TEST_GROUP_ASAN='$(shell $(CC) \
	        -print-file-name=libasan.so)') \
	    $(PROVE) -j$(JOBS) --timer -It/lib $(T)

.PHONY: unit
unit: deps                  ## build and run the C tests of the pure layers
	@$(MAKE) --no-print-directory $(OBJS)/Makefile
	@$(MAKE) -s -f t/unit/unit.mk $(UNITS)
	@env -u MAKEFLAGS -u MAKELEVEL $(PROVE) t/unit.t

.PHONY: weather-deps
weather-deps:
	@$(MAKE) --no-print-directory deps \
	    PACKAGES='$(PACKAGES) $(WEATHER_PACKAGES)'

.PHONY: weather
weather: weather-deps       ## make test-... for each of these, and a summary
	@perl t/weather/weather.pl $(WEATHERS)

.PHONY: test-http2 test-tiny test-reload test-workers test-modules
test-http2:                 ## make test over HTTP/2
test-tiny:                  ## with the smallest buffers, bodies in files
test-reload:                ## with a reload before each request
test-workers:               ## with two worker processes
test-modules: weather-deps  ## beside Debian's Lua and njs modules, at work

test-http2 test-tiny test-reload test-workers test-modules: test-%:
	@TEST_GROUP_$(shell echo $* | tr a-z A-Z)=$(if $(filter workers,$*),2,1) \
	    $(MAKE) --no-print-directory test T='$(WEATHER_T)'

.PHONY: test-newer
test-newer: weather-deps    ## with the nginx of another Debian (SUITE=trixie)
	@src=$$(t/weather/source.sh build/source $(SUITE)) && \
	    $(MAKE) --no-print-directory test T='$(WEATHER_T)' WERROR=1 \
	        NGINX_SRC="$$src" BUILDDIR=build/newer

.PHONY: test-asan
test-asan: weather-deps     ## ASan, UBSan, NGX_DEBUG_PALLOC; nginx built, too
	@src=$$($(SOURCE)) || echo "going on with the installed nginx"; \
	    $(MAKE) --no-print-directory test ASAN=1 \
	        $${src:+NGINX_SRC="$$src" BUILDDIR=build/asan-nginx}

.PHONY: test-valgrind
test-valgrind: weather-deps ## memcheck, NGX_DEBUG_PALLOC, some of the tests
	@src=$$($(SOURCE)) || echo "going on with the installed nginx"; \
	    TEST_GROUP_VALGRIND=1 $(MAKE) --no-print-directory test \
	        T='$(VALGRIND_T)' CC_OPT='-g -O1 -DNGX_DEBUG_PALLOC=1' \
	        BUILDDIR=build/valgrind $${src:+NGINX_SRC="$$src"}

.PHONY: soak
soak: deps                  ## mixed traffic, faults, reloads (SOAK=seconds)
	@$(MAKE) -s --no-print-directory all
	@env -u MAKEFLAGS -u MAKELEVEL TEST_NGINX_BINARY='$(NGINX)' \
	    TEST_NGINX_MODULE='$(abspath $(MODULE))' \
	    perl -It/lib t/soak/soak.pl $(or $(SOAK),600)

.PHONY: coverage
coverage: deps              ## line coverage of src/ by all tests (ARGS=file.c)
	@rm -rf build/coverage
	-@$(MAKE) --no-print-directory test BUILDDIR=build/coverage \
	    T='$(WEATHER_T)' CC_OPT='-g -O0' GROUP_CFLAGS=--coverage \
	    LD_OPT=--coverage
	-@$(MAKE) -sk -f t/unit/unit.mk BUILD=build/coverage/unit \
	    SANITIZE=--coverage $(UNITS:build/unit/test_%=%) >/dev/null
	@perl t/weather/coverage.pl build/coverage $(ARGS)

.PHONY: lint
lint:                       ## luacheck: dialects, policies, examples
	@$(MAKE) --no-print-directory deps PACKAGES='$(LINT_PACKAGES)'
	@luacheck --quiet lua examples .luacheckrc

.PHONY: test-console
test-console:               ## group_console in Chromium (SCREENSHOT=file.png)
	@$(MAKE) --no-print-directory deps PACKAGES='$(CONSOLE_PACKAGES)'
	@$(MAKE) --no-print-directory all
	@test -d '$(BUILDDIR)/console/node_modules/playwright-core' \
	    || npm install --no-save --no-audit --no-fund --loglevel=error \
	        --prefix '$(BUILDDIR)/console' '$(PLAYWRIGHT)'
	@env -u MAKEFLAGS -u MAKELEVEL TEST_NGINX_BINARY='$(NGINX)' \
	    TEST_NGINX_MODULE='$(abspath $(MODULE))' \
	    TEST_GROUP_PLAYWRIGHT='$(abspath \
	        $(BUILDDIR)/console/node_modules)' \
	    $(if $(SCREENSHOT),CONSOLE_SCREENSHOT='$(abspath $(SCREENSHOT))') \
	    $(PROVE) -It/lib t/console.t

.PHONY: fuzz-deps
fuzz-deps:
	@$(MAKE) --no-print-directory deps \
	    PACKAGES='$(PACKAGES) $(FUZZ_PACKAGES)'

.PHONY: fuzz
fuzz: fuzz-deps             ## fuzz the pure layers (FUZZ=id SECONDS=n RUNS=n)
	@$(MAKE) --no-print-directory $(OBJS)/Makefile
	@$(MAKE) -s -j$(JOBS) -f t/fuzz/fuzz.mk fuzz

.PHONY: fuzz-ci
fuzz-ci: fuzz-deps          ## the same for a fixed number of runs each
	@$(MAKE) --no-print-directory $(OBJS)/Makefile
	@$(MAKE) -s -j$(JOBS) -f t/fuzz/fuzz.mk ci

.PHONY: bench-codec
bench-codec: deps           ## time the codecs alone (ARGS=--quick, --markdown)
	@$(MAKE) --no-print-directory $(OBJS)/Makefile
	@$(MAKE) -s -f t/bench/codec.mk
	@build/bench/codec $(ARGS)

.PHONY: matrix
matrix: deps                ## what is supported, as README's table
	@$(MAKE) -s --no-print-directory all
	@env -u MAKEFLAGS -u MAKELEVEL TEST_NGINX_BINARY='$(NGINX)' \
	    TEST_NGINX_MODULE='$(abspath $(MODULE))' TEST_GROUP_MATRIX=1 \
	    perl -It/lib t/matrix.t | grep '^|'

.PHONY: example-deps
example-deps:
	@$(MAKE) --no-print-directory deps \
	    PACKAGES='$(PACKAGES) $(EXAMPLE_PACKAGES)'

.PHONY: bench-deps
bench-deps:
	@$(MAKE) --no-print-directory deps \
	    PACKAGES='$(PACKAGES) $(BENCH_PACKAGES)'

.PHONY: bench
bench: bench-deps           ## measure; ARGS=--help tells the options
	@$(MAKE) -s --no-print-directory all
	@env -u MAKEFLAGS -u MAKELEVEL TEST_NGINX_BINARY='$(NGINX)' \
	    TEST_NGINX_MODULE='$(abspath $(MODULE))' \
	    perl t/bench/bench.pl $(ARGS)

.PHONY: instructions
instructions: bench-deps    ## count those of a request, compare with before
	@$(MAKE) -s --no-print-directory all
	@env -u MAKEFLAGS -u MAKELEVEL TEST_NGINX_BINARY='$(NGINX)' \
	    TEST_NGINX_MODULE='$(abspath $(MODULE))' \
	    perl t/bench/instructions.pl $(ARGS)

.PHONY: package-deps
package-deps:
	@$(MAKE) --no-print-directory deps \
	    PACKAGES='$(PACKAGES) $(PACKAGE_PACKAGES)'

.PHONY: package
package: package-deps       ## the Debian package, in build/package
	@JOBS='$(JOBS)' debian/build.sh '$(BUILDDIR)/package'
	@ls '$(BUILDDIR)/package'/*.deb

.PHONY: package-test
package-test: package       ## try it in an empty Debian system (as root)
	@$(MAKE) --no-print-directory deps \
	    PACKAGES='$(PACKAGE_TEST_PACKAGES)'
	@t/package.sh '$(BUILDDIR)/package'

.PHONY: newcomer-test
newcomer-test:              ## walk the README in an empty Debian (as root)
	@$(MAKE) --no-print-directory deps PACKAGES=debootstrap
	@t/newcomer.sh

.PHONY: install
install: all                ## install module, dialects, load_module file
	install -d '$(DESTDIR)$(MODULESDIR)' '$(DESTDIR)$(LUADIR)/dialects' \
	    '$(DESTDIR)$(LUADIR)/policies' '$(DESTDIR)$(MODCONFDIR)'
	install -m 644 $(MODULE) '$(DESTDIR)$(MODULESDIR)'
	for dir in dialects policies; do \
	    for file in lua/$$dir/*.lua; do \
	        test ! -f $$file || \
	            install -m 644 $$file '$(DESTDIR)$(LUADIR)'/$$dir; \
	    done; \
	done
	echo 'load_module $(MODULESDIR)/ngx_http_group_module.so;' \
	    >'$(DESTDIR)$(MODCONFDIR)/mod-http-group.conf'
	chmod 644 '$(DESTDIR)$(MODCONFDIR)/mod-http-group.conf'
	@echo
	@echo "to load it (Debian): ln -s $(MODCONFDIR)/mod-http-group.conf" \
	      "/etc/nginx/modules-enabled/50-mod-http-group.conf"

.PHONY: uninstall
uninstall:                  ## remove what install put there
	rm -f '$(DESTDIR)$(MODULESDIR)/ngx_http_group_module.so' \
	    '$(DESTDIR)$(MODCONFDIR)/mod-http-group.conf'
	rm -f $(foreach f,$(wildcard lua/dialects/*.lua lua/policies/*.lua), \
	    '$(DESTDIR)$(LUADIR)/$(f:lua/%=%)')
	-rmdir '$(DESTDIR)$(LUADIR)/dialects' '$(DESTDIR)$(LUADIR)/policies' \
	    '$(DESTDIR)$(LUADIR)' 2>/dev/null

.PHONY: clean
clean:                      ## remove everything that was built
	rm -rf '$(BUILDDIR)'

.PHONY: help
help:                       ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*##/  make \1@/p' $(firstword $(MAKEFILE_LIST)) \
	    | awk -F@ '{ printf "%-20s%s\n", $$1, $$2 }'
	@echo
	@sed -n 's/^#   make /  make /p; s/^#      */                           /p' \
	    $(firstword $(MAKEFILE_LIST))


# what the configuration was made with: changes only when it differs, so
# that another compiler flag, or another nginx, configures and builds anew

define SETTINGS
src: $(NGINX_SRC)
cc: $(CC)
cc_opt: $(CC_OPT)
ld_opt: $(LD_OPT)
group_cflags: $(GROUP_CFLAGS)
configure: $(NGINX_CONFIGURE)
dialects: $(LUADIR)/dialects
policies: $(LUADIR)/policies
luajit: $(LUAJIT_INC) $(LUAJIT_LIB)
yajl: $(YAJL_INC) $(YAJL_LIB)
expat: $(EXPAT_INC) $(EXPAT_LIB)
libcrypto: $(LIBCRYPTO_INC) $(LIBCRYPTO_LIB)
endef

export SETTINGS

.PHONY: FORCE
FORCE:

$(BUILDDIR)/settings: FORCE
	@mkdir -p $(BUILDDIR)
	@{ printf '%s\n' "$$SETTINGS"; \
	   cat $(NGINX_SRC)/src/core/nginx.h $(ID_FILES) 2>/dev/null \
	       | cksum; } >$@.new
	@if cmp -s $@ $@.new; then rm $@.new; else mv $@.new $@; fi

# nginx's configure wants to write next to itself: a tree of links

$(OBJS)/Makefile: config config.make $(BUILDDIR)/settings
	@if ! test -f '$(NGINX_SRC)/src/core/nginx.h'; then \
	    echo "no nginx headers in $(NGINX_SRC): run 'make deps'," \
	         "or set NGINX_SRC to a source tree of nginx" >&2; \
	    exit 1; \
	fi
	@echo "configuring for nginx in $(NGINX_SRC)"
	@rm -rf '$(TREE)'
	@mkdir -p '$(OBJS)'
	@for file in '$(abspath $(NGINX_SRC))'/*; do \
	    case $${file##*/} in \
	        objs|Makefile) ;; \
	        *) ln -s "$$file" '$(TREE)' ;; \
	    esac \
	done
	@cd '$(TREE)' && CC='$(CC)' CC_OPT='$(CC_OPT)' LD_OPT='$(LD_OPT)' \
	    NGX_HTTP_GROUP_CFLAGS='$(GROUP_CFLAGS)' \
	    NGX_HTTP_GROUP_DIALECT_PATH='$(LUADIR)/dialects' \
	    NGX_HTTP_GROUP_POLICY_PATH='$(LUADIR)/policies' \
	    bash -ec '$(CONF_FLAGS); ./configure "$$@" \
	        --with-cc-opt="$$CC_OPT" --with-ld-opt="$$LD_OPT" \
	        --add-dynamic-module="$(CURDIR)" $(NGINX_CONFIGURE) \
	        >objs/configure.log 2>&1' \
	    || { sed -n '/ngx_http_group/,$$p' objs/configure.log >&2; \
	         rm -f objs/Makefile; exit 1; }
	@rm -f '$(TREE)/Makefile'

# nginx's Makefile knows the sources and headers: it is always asked

$(MODULE): $(OBJS)/Makefile FORCE
	@+$(MAKE) $(if $(V),,-s) --no-print-directory -C '$(TREE)' -f objs/Makefile \
	    $(NGX_TARGETS)
	@if ! cmp -s '$(OBJS)/ngx_http_group_module.so' $@; then \
	    cp '$(OBJS)/ngx_http_group_module.so' $@ && echo "built $@"; \
	fi
