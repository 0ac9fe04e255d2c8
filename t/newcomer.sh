#!/bin/bash

# Somebody who is new, with an empty Debian system: git, make and a compiler
# as the README says, a clone, and from there on the README alone.
#
#   t/newcomer.sh
#
# `make newcomer-test` calls this, and installs what it needs.  Uncommitted
# changes are not in the clone.  See t/debian.sh; 1.5 GB.

name=newcomer
. "$(dirname "$0")/debian.sh"

empty_system

say "git, make, gcc"
apt install git make gcc libc6-dev

say "clone"
mkdir "$work/home"
printf '[safe]\n\tdirectory = *\n' >"$work/home/.gitconfig"
HOME=$work/home git clone --quiet --no-hardlinks "$here" "$root/root/clone"

# no make of ours around it
clone() {
    run env -u MAKEFLAGS -u MAKELEVEL HOME=/root sh -ec "cd /root/clone; $1"
}

say "make run"
quiet clone 'make run ARGS=--check'
grep -c '^ok' "$work/log" | sed 's/$/ curl lines give what they promise/'

say "first configuration, translations, a first rule"
quiet clone 'make test T=t/newcomer.t'

say "passed"
