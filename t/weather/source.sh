#!/bin/sh

# The source of nginx from the archive that apt is configured for.
#
#   t/weather/source.sh DIR           that of the installed release
#   t/weather/source.sh DIR trixie    that of another one, such as "sid"
#
# Fetches it once, below DIR, and prints where it is, for make NGINX_SRC=. The
# machine's own sources and lists are read and not changed. Where there is no
# such source, nothing is printed: its exit code is 1, its stderr says why.

set -eu

dir=$1
suite=${2:-}

mkdir -p "$dir"
dir=$(cd "$dir" && pwd)/${suite:-installed}

if test -f "$dir/nginx/src/core/nginx.h"; then
    echo "$dir/nginx"
    exit 0
fi

why() {
    echo "no source of nginx${suite:+ in $suite}: $1" >&2
    exit 1
}

for command in apt-get dpkg-source; do
    command -v $command >/dev/null || why "there is no $command"
done

# What is configured as "deb", of Debian's own archive, is asked as "deb-src";
# another release is where the installed one is. With "all", updates, too.
sources() {
    apt-get indextargets --format \
        '$(CREATED_BY) $(ORIGIN) $(LABEL) $(REPO_URI) $(RELEASE) $(COMPONENT)' |
    awk -v suite="$suite" -v which="$1" -v keys="$(ls "$keys" 2>/dev/null)" '
        $1 == "Packages" && $2 == "Debian" && $6 == "main" &&
            (which == "all" || ($3 == "Debian" && $5 !~ /-/)) {
            print "deb-src " (keys == "" ? "" : "[signed-by=" keys "] ") \
                $4 " " (suite == "" ? $5 : suite) " main"
        }' | sort -u
}

fetch() {
    rm -rf "$dir"
    mkdir -p "$dir/lists/partial"
    sources "$1" >"$dir/sources.list"
    cd "$dir"
    set -- -q -o Dir::Etc::sourcelist="$dir/sources.list" \
        -o Dir::Etc::sourceparts=- -o Dir::State::lists="$dir/lists" \
        -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
        -o APT::Sandbox::User=
    test -s sources.list && apt-get "$@" update >log 2>&1 &&
        apt-get "$@" source --download-only nginx >>log 2>&1
}

keys=/usr/share/keyrings/debian-archive-keyring.gpg

# an archive may know of an update that it does not have any more
{ test -z "$suite" && fetch all; } || fetch release ||
    why "$(sed -n '/^E:/s/^E: //p' log | head -1)"
dpkg-source -x ./*.dsc nginx >>log 2>&1 ||
    why "$(tail -1 log)"
rm -rf lists

echo "$dir/nginx"
