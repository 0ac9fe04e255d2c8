# An empty Debian system of this machine's release, to be sourced by bash:
#
#   $name            is set before, and begins what say() says
#   empty_system     makes the system in $root
#   run COMMAND      runs a command in it
#   apt ARGUMENTS    runs its apt-get, silent unless that fails
#
# Needs root (it starts the script again with sudo), debootstrap, and apt
# sources that work: mirror, proxy and certificates are those of this machine.
# All is in $work, a directory below $TMPDIR, and removed at the end unless
# KEEP=1.

set -eu
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
export PATH=/usr/local/sbin:/usr/sbin:/sbin:$PATH

if test "$(id -u)" != 0; then
    exec sudo -E "$BASH" "$0" "$@"
fi

here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
root=$work/root

finish() {
    status=$?
    if test -s "$root/run/nginx.pid"; then
        kill "$(cat "$root/run/nginx.pid")" || :
    fi
    if test -n "${KEEP:-}"; then
        echo "kept: $work"
    else
        rm -rf --one-file-system "$work"
    fi
    test $status = 0 || echo "$name: FAILED"
}

trap finish EXIT
trap 'exit 1' INT TERM

say() {
    echo "$name: $((SECONDS / 60)):$(printf %02d $((SECONDS % 60))) $*"
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

run() {
    env -u TMPDIR chroot "$root" "$@"
}

apt() {
    quiet run apt-get -q -y --no-install-recommends "$@"
}

empty_system() {
    local codename mirror

    # the release's own archive first: a mirror of it has the base system
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")

    apt-get indextargets --format \
        '$(ORIGIN)|$(SITE)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)' \
        'Created-By: Packages' |
        awk -F'|' '$1 == "Debian" { print $3, $4, $5 }' |
        sort -u >"$work/sources"

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
        grep -v '^Acquire::IndexTargets' \
            >"$root/etc/apt/apt.conf.d/90machine" || :
    cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
    if grep -q '^https:' "$work/sources"; then
        mkdir -p "$root/etc/ssl/certs"
        cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    fi

    quiet run apt-get update
}
