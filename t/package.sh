#!/bin/bash

# The Debian package in an empty Debian system of the same release: it
# installs, nginx starts with it and translates, it goes without a trace.
#
#   t/package.sh DIRECTORY
#
# DIRECTORY is that of `make package`; `make package-test` calls this, and
# installs what it needs.  See t/debian.sh; 500 MB.

name=package
. "$(dirname "$0")/debian.sh"

dir=$(cd "${1:?usage: t/package.sh DIRECTORY}" && pwd)
package=libnginx-mod-http-group


# the files

debs=("$dir/$package"_*.deb)
deb=${debs[0]}
test ${#debs[@]} = 1 && test -f "$deb" || fail "no package in $dir"

say "lintian"
lintian --allow-root --fail-on error,warning,info --display-info \
    "$dir/$package"_*.changes

say "manual page"
dpkg-deb --fsys-tarfile "$deb" |
    tar -xOf - ./usr/share/man/man7/ngx_http_group_module.7.gz |
    gzip -dc >"$work/ngx_http_group_module.7"
mandoc -T lint -W all "$work/ngx_http_group_module.7"
warnings=$(MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z \
    "$work/ngx_http_group_module.7" 2>&1 >/dev/null)
test -z "$warnings" || fail "$warnings"

# each directive of the module is in it
missing=
for directive in $(sed -n 's/^    { ngx_string("\(group_[a-z0-9_]*\)"),$/\1/p' \
    "$here/src/ngx_http_group_module.c")
do
    grep -qE "(^|[^a-z_])$directive([^a-z_]|\$)" \
        "$work/ngx_http_group_module.7" ||
        missing="$missing $directive"
done
test -z "$missing" || fail "the manual page has no$missing"

say "dependencies"
depends=$(dpkg-deb -f "$deb" Depends)
abi=$(dpkg-query -W -f '${Provides}\n' nginx |
    grep -o 'nginx-abi-[^ ,]*')
echo "$depends"
case ", $depends," in
    *", $abi,"*) ;;
    *) fail "does not depend on $abi, which nginx here provides" ;;
esac

version=$(sed -n 's/^#define NGX_HTTP_GROUP_VERSION *"\(.*\)"$/\1/p' \
    "$here/src/ngx_http_group_module.h")
case $(dpkg-deb -f "$deb" Version) in
    "$version"-*) ;;
    *) fail "is not of version $version" ;;
esac


# an empty system

empty_system

# what is there, but for logs, caches, and what dpkg and apt know
list() {
    (cd "$root" && find . -xdev \
        \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./run \
            -o -path ./tmp -o -path ./var/cache -o -path ./var/lib/apt \
            -o -path ./var/lib/dpkg -o -path ./var/log/apt \) -prune \
        -o -printf '%M %u:%g %p %l\n' | sort -k3)
}

list >"$work/empty"
run dpkg-query -W -f '${binary:Package}\n' | sort >"$work/empty.packages"


# there

say "install"
cp "$deb" "$root/tmp/"
apt install "/tmp/${deb##*/}"
list >"$work/installed"

run dpkg-query -W -f '${Package} ${Version}\n' nginx "$package"

link=etc/nginx/modules-enabled/50-mod-http-group.conf
test "$(readlink "$root/$link")" = \
    /usr/share/nginx/modules-available/mod-http-group.conf ||
    fail "the module is not enabled"

run nginx -t
run nginx -T 2>/dev/null | grep 'load_module.*ngx_http_group_module' ||
    fail "the module is not loaded"

(cd "$here/lua" && ls dialects/*.lua policies/*.lua) |
    while IFS= read -r file; do
        cmp "$here/lua/$file" "$root/usr/share/nginx/lua/group/$file"
    done

# port 80 may be taken on this machine
rm "$root/etc/nginx/sites-enabled/default"

say "the README's first configuration"
cp "$here/debian/tests/first-configuration" "$root/tmp/"
run /tmp/first-configuration
echo


# and gone

say "remove, install again"
apt remove "$package"
run nginx -t
test ! -L "$root/$link" || fail "a removed module is enabled"
apt install "/tmp/${deb##*/}"
test -L "$root/$link" || fail "the module is not enabled again"
run nginx -t

say "purge"
apt purge "$package"
run nginx -t

# nothing new is left; what nginx makes for itself goes with nginx, below
list >"$work/purged"
comm -13 <(cut -d' ' -f3 "$work/installed" | sort) \
    <(cut -d' ' -f3 "$work/purged" | sort) |
    grep -v '^\./var/lib/nginx/' >"$work/new" || :
test ! -s "$work/new" || fail "left behind: $(cat "$work/new")"

run dpkg -L "$package" >/dev/null 2>&1 && fail "dpkg still knows the package"

comm -23 <(cut -d' ' -f3 "$work/installed" | sort) \
    <(cut -d' ' -f3 "$work/purged" | sort) >"$work/gone"
dpkg-deb --fsys-tarfile "$deb" | tar -tf - | grep -v '/$' |
    while IFS= read -r file; do
        grep -qxF "$file" "$work/gone" || fail "left behind: $file"
    done

# with all that came with it, the system is what it was
apt purge --autoremove nginx nginx-common
run dpkg-query -W -f '${binary:Package}\n' | sort >"$work/end.packages"
comm -13 "$work/empty.packages" "$work/end.packages"
list >"$work/end"

# nginx itself leaves its first page there
grep -v ' \./var/www' "$work/end" | diff "$work/empty" - ||
    fail "the system is not what it was"

say "passed"
