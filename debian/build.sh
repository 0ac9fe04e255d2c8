#!/bin/bash

# The Debian package, source and binary, against the nginx that is installed.
#
#   debian/build.sh DIRECTORY
#
# `make package` calls it, and installs what it needs.  It works in DIRECTORY
# alone, which it empties first, and leaves there what dpkg-buildpackage
# makes: .deb, .changes, .dsc and so on.
#
# The version is that of the module, see src/ngx_http_group_module.h; the date
# that of CHANGELOG.md.  PACKAGE_REVISION (1) is the Debian revision; DEBEMAIL
# and DEBFULLNAME, as with all of Debian's tools, say who answers for the
# package; JOBS (2) is how many compilers run.

set -eu
umask 022
export LC_ALL=C.UTF-8

here=$(cd "$(dirname "$0")/.." && pwd)
out=${1:?usage: debian/build.sh DIRECTORY}
name=libnginx-mod-http-group

cd "$here"

version=$(sed -n \
    's/^#define NGX_HTTP_GROUP_VERSION *"\(.*\)"$/\1/p' \
    src/ngx_http_group_module.h)

read -r released date < <(sed -n \
    's/^## \[\([0-9.]*\)\] - \([0-9-]*\)$/\1 \2/p' CHANGELOG.md) || true

if test -z "$version" || test "$version" != "${released:-}"; then
    echo "src/ngx_http_group_module.h is of version \"$version\"," \
         "CHANGELOG.md of \"${released:-}\"" >&2
    exit 1
fi

maintainer=$(sed -n 's/^Maintainer: //p' debian/control)

if test -n "${DEBEMAIL:-}"; then
    maintainer="${DEBFULLNAME:-${maintainer%% <*}} <$DEBEMAIL>"
fi


# the upstream's tarball, the same each time, and the tree that is in it

mkdir -p "$out"
out=$(cd "$out" && pwd)
find "$out" -mindepth 1 -delete

tree=$out/$name-$version
mkdir "$tree"

cp -R CHANGELOG.md LICENSE Makefile README.md config config.make \
    examples lua man src "$tree"
mkdir -p "$tree/lua/policies"
find "$tree" -type d -exec chmod 755 {} +
find "$tree" -type f -exec chmod 644 {} +

tar -C "$out" --sort=name --format=gnu --owner=0 --group=0 --numeric-owner \
    --mtime="$date 00:00:00 UTC" -cf - "$name-$version" |
    gzip -9n >"$out/${name}_$version.orig.tar.gz"


# what is Debian's

cp -R debian "$tree"

sed -i "s/^Maintainer: .*/Maintainer: ${maintainer//\//\\/}/" \
    "$tree/debian/control"

cat >"$tree/debian/changelog" <<END
$name ($version-${PACKAGE_REVISION:-1}) unstable; urgency=medium

  * Version $version: what is new is in the module's own changelog.

 -- $maintainer  $(date -u -R -d "$date")
END


# nothing of the caller's environment is to get into it

cd "$tree"
env -i PATH="$PATH" HOME="$out" LC_ALL=C.UTF-8 \
    DEB_BUILD_OPTIONS="parallel=${JOBS:-2}" \
    dpkg-buildpackage -us -uc >"$out/build.log" 2>&1 ||
    { tail -n 40 "$out/build.log" >&2; echo "see $out/build.log" >&2; exit 1; }

cd "$out"
rm -rf "$tree"
