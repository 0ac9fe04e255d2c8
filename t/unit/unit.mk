# Tests of the pure layers: each t/unit/test_NAME.c becomes
# build/unit/test_NAME, linked with src/model and src/codec.
#
#   make -f t/unit/unit.mk        builds all of them
#   make -f t/unit/unit.mk NAME   builds and runs one
#
# NGX_SRC is a source tree of nginx, NGX_OBJS where its ngx_auto_config.h is.
# Both are in build/nginx once the module was built; else the headers of
# NGINX_SRC are taken and configured in build/unit/nginx.

BUILD     := build/unit

NGINX_SRC ?= /usr/share/nginx/src

ifneq ($(wildcard build/nginx/objs/ngx_auto_config.h),)
NGX_SRC   ?= build/nginx
else
NGX_SRC   ?= $(BUILD)/nginx
endif

NGX_OBJS  ?= $(NGX_SRC)/objs

# an empty ngx_str_t is { 0, NULL }, and NULL + 0 is no error here

SANITIZE  ?= $(shell echo 'int main(void) { return 0; }' \
                 | $(CC) -fsanitize=address,undefined -x c - -o /dev/null \
                     2>/dev/null \
                 && echo -fsanitize=address,undefined \
                         -fno-sanitize-recover=undefined \
                         -fno-sanitize=pointer-overflow)

UNIT_CFLAGS := -std=gnu99 -g -O1 -fno-omit-frame-pointer \
               -Wall -Wextra -Wno-unused-parameter -Werror $(SANITIZE)
UNIT_CPPFLAGS := -D_GNU_SOURCE \
               -isystem $(NGX_SRC)/src/core -isystem $(NGX_SRC)/src/event \
               -isystem $(NGX_SRC)/src/event/modules \
               -isystem $(NGX_SRC)/src/os/unix -isystem $(NGX_OBJS) \
               -Isrc/model -Isrc/codec -Isrc/auth -Isrc/policy -Isrc/dialect \
               -Isrc/plan \
               -It/unit \
               $(patsubst -I%,-isystem %,$(shell pkg-config --cflags luajit))
UNIT_LIBS := -lyajl -lexpat -lcrypto

objs       = $(patsubst %.c,$(BUILD)/%.o,$(wildcard $(1)))

BASE      := $(BUILD)/t/unit/unit.o $(call objs,src/model/*.c) \
             $(call objs,src/codec/*.c)
TESTS     := $(patsubst t/unit/%.c,$(BUILD)/%,$(wildcard t/unit/test_*.c))
NAMES     := $(patsubst $(BUILD)/test_%,%,$(TESTS))


.PHONY: unit $(NAMES)
.SECONDARY:

unit: $(TESTS)

$(NAMES): %: $(BUILD)/test_%
	$<

# what a test needs beside the base

$(BUILD)/test_auth $(BUILD)/test_jwt: $(call objs,src/auth/*.c)

$(BUILD)/test_patch: $(call objs,src/dialect/ngx_group_patch*.c)

$(BUILD)/test_filter: $(call objs,src/dialect/ngx_group_filter*.c)

$(BUILD)/test_policy: $(call objs,src/policy/*.c) $(BUILD)/t/unit/shm.o
$(BUILD)/test_policy: UNIT_LDFLAGS := -lluajit-5.1

$(BUILD)/test_nomem: $(call objs,src/dialect/*.c) $(call objs,src/plan/*.c)

# so that expat's allocations can be made to fail

$(BUILD)/test_xml: UNIT_LDFLAGS := -Wl,--wrap=XML_ParserCreate
$(BUILD)/test_nomem: UNIT_LDFLAGS := -Wl,--wrap=XML_ParserCreate -lluajit-5.1

$(BUILD)/test_%: $(BUILD)/t/unit/test_%.o $(BASE)
	$(CC) $(UNIT_CFLAGS) -o $@ $(filter %.o,$^) $(UNIT_LDFLAGS) $(UNIT_LIBS)

# no test of its own: t/sigv4_oracle.t asks it

$(BUILD)/sigv4_tool: $(BUILD)/t/unit/sigv4_tool.o $(BASE) \
    $(call objs,src/auth/*.c)
	$(CC) $(UNIT_CFLAGS) -o $@ $(filter %.o,$^) $(UNIT_LIBS)

$(BUILD)/%.o: %.c | $(NGX_OBJS)/ngx_auto_config.h
	@mkdir -p $(@D)
	$(CC) $(UNIT_CFLAGS) $(UNIT_CPPFLAGS) -MMD -MP -c -o $@ $<

# nginx's configure wants to write next to itself: a tree of links

$(BUILD)/nginx/objs/ngx_auto_config.h:
	@mkdir -p $(@D)
	@ln -sf $(abspath $(NGINX_SRC))/auto $(abspath $(NGINX_SRC))/src \
	    $(abspath $(NGINX_SRC))/configure $(BUILD)/nginx/
	cd $(BUILD)/nginx && ./configure --with-compat --with-threads \
	    --without-http --without-http-cache >configure.log
	echo '#define NGX_HTTP_GROUP_POLICY_PATH "lua/policies"' >>$@

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
