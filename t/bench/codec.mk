# The codec benchmark: built as the tests of the pure layers are, but compiled
# as the module is, into build/bench.
#
#   make -f t/bench/codec.mk

override BUILD       := build/bench
override SANITIZE    :=
override UNIT_CFLAGS := -std=gnu99 -g -O2 -fPIC -fvisibility=hidden \
                        -funwind-tables -fstack-protector-strong \
                        -D_FORTIFY_SOURCE=2 \
                        -Wall -Wextra -Wno-unused-parameter -Werror

.DEFAULT_GOAL := $(BUILD)/codec

include t/unit/unit.mk

$(BUILD)/t/unit/unit.o: UNIT_CPPFLAGS += -DBENCH_POOL_WEAK \
                                        -include t/bench/pool.h

$(BUILD)/codec: $(BUILD)/t/bench/codec.o $(BUILD)/t/bench/pool.o $(BASE) \
    $(call objs,src/dialect/*.c)
	$(CC) $(UNIT_CFLAGS) -o $@ $(filter %.o,$^) -lluajit-5.1 $(UNIT_LIBS)
