#!/bin/bash

# The Debian package in an empty Debian system of the same release: it
# installs, nginx starts with it and translates, it goes without a trace.
#
#   t/package.sh DIRECTORY
#
# DIRECTORY is that of `make package`; `make package-test` calls this, and
# installs what it needs.  Needs root, and apt sources that work: mirror,
# proxy and certificates are those of this machine.  The system is made in a
# directory below $TMPDIR, 500 MB, and removed again; PACKAGE_KEEP=1 keeps it.

set -eu
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
export PATH=/usr/local/sbin:/usr/sbin:/sbin:$PATH

dir=$(cd "${1:?usage: t/package.sh DIRECTORY}" && pwd)
here=$(cd "$(dirname "$0")/.." && pwd)
name=libnginx-mod-http-group
work=$(mktemp -d)
root=$work/root

finish() {
    status=$?
    if test -s "$root/run/nginx.pid"; then
        kill "$(cat "$root/run/nginx.pid")" || :
    fi
    for mounted in proc sys; do
        if mountpoint -q "$root/$mounted"; then umount "$root/$mounted"; fi
    done
    if test -n "${PACKAGE_KEEP:-}"; then
        echo "kept: $work"
    else
        rm -rf --one-file-system "$work"
    fi
    test $status = 0 || echo "package: FAILED"
}

trap finish EXIT
trap 'exit 1' INT TERM

say() {
    echo "package: $((SECONDS / 60)):$(printf %02d $((SECONDS % 60))) $*"
}

fail() {
    say "$*" >&2
    exit 1
}

# silent, unless it fails
quiet() {
    "$@" >"$work/log" 2>&1 </dev/null || {
        cat "$work/log" >&2
        fail "$1 failed"
    }
}

if test "$(id -u)" != 0; then
    trap - EXIT
    rmdir "$work"
    exec sudo -E "$BASH" "$0" "$@"
fi


# the files

debs=("$dir/$name"_*.deb)
deb=${debs[0]}
test ${#debs[@]} = 1 && test -f "$deb" || fail "no package in $dir"

say "lintian"
lintian --allow-root --fail-on error,warning,info --display-info \
    "$dir/$name"_*.changes

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


# an empty system, from where this one has its packages

# the release's own archive first: a mirror of it has the base system
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")

apt-get indextargets --format \
    '$(ORIGIN)|$(SITE)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)' \
    'Created-By: Packages' |
    awk -F'|' '$1 == "Debian" { print $3, $4, $5 }' | sort -u >"$work/sources"

mirror=$(awk -v codename="$codename" \
    '$2 == codename { print $1; exit }' "$work/sources")
test -n "$mirror" || fail "apt knows no $codename here: apt-get update?"

# debootstrap does not read apt's configuration
eval "$(apt-config shell http_proxy Acquire::http::Proxy \
    https_proxy Acquire::https::Proxy)"
if test -n "${http_proxy:-}"; then export http_proxy; fi
if test -n "${https_proxy:-}"; then export https_proxy; fi

say "debootstrap $codename"
quiet debootstrap --variant=minbase "$codename" "$root" "$mirror"

# nothing is started: nginx would take the ports of this machine
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"

# nothing has to survive a loss of power
echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/unsafe-io"

sed 's/^/deb /' "$work/sources" >"$root/etc/apt/sources.list"
apt-config dump | grep -E '^Acquire::[^ ]* "[^"]' |
    grep -v '^Acquire::IndexTargets' >"$root/etc/apt/apt.conf.d/90machine" || :
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
if grep -q '^https:' "$work/sources"; then
    mkdir -p "$root/etc/ssl/certs"
    cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
fi

# what is there, but for logs, caches, and what dpkg and apt know
list() {
    (cd "$root" && find . -xdev \
        \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./run \
            -o -path ./tmp -o -path ./var/cache -o -path ./var/lib/apt \
            -o -path ./var/lib/dpkg -o -path ./var/log/apt \) -prune \
        -o -printf '%M %u:%g %p %l\n' | sort -k3)
}

run() {
    env -u TMPDIR chroot "$root" "$@"
}

apt() {
    quiet run apt-get -q -y --no-install-recommends "$@"
}

quiet run apt-get update
list >"$work/empty"
run dpkg-query -W -f '${binary:Package}\n' | sort >"$work/empty.packages"


# there

say "install"
cp "$deb" "$root/tmp/"
apt install "/tmp/${deb##*/}"
list >"$work/installed"

run dpkg-query -W -f '${Package} ${Version}\n' nginx "$name"

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
apt remove "$name"
run nginx -t
test ! -L "$root/$link" || fail "a removed module is enabled"
apt install "/tmp/${deb##*/}"
test -L "$root/$link" || fail "the module is not enabled again"
run nginx -t

say "purge"
apt purge "$name"
run nginx -t

# nothing new is left; what nginx makes for itself goes with nginx, below
list >"$work/purged"
comm -13 <(cut -d' ' -f3 "$work/installed" | sort) \
    <(cut -d' ' -f3 "$work/purged" | sort) |
    grep -v '^\./var/lib/nginx/' >"$work/new" || :
test ! -s "$work/new" || fail "left behind: $(cat "$work/new")"

run dpkg -L "$name" >/dev/null 2>&1 && fail "dpkg still knows the package"

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
