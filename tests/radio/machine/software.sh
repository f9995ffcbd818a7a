#!/usr/bin/env bash
# Makes the disk that is /opt/consentry in the virtual machine: as docs/operating.md installs it, at full speed in a chroot.
#   software.sh SUITE CACHE WHEELS OURS IMAGE     as root
# WHEELS is a folder of what Consentry depends on, installed anew only when it changed; OURS is Consentry's own wheel.
set -euo pipefail
suite=$1 wheels=$3 ours=$4 image=$5
rootfs=$2/$suite/rootfs
target=$rootfs/opt/consentry
exec 9>"$2/$suite/lock"
flock 9

# chroot would look for its program on the path of this machine.
inside() { chroot "$rootfs" /usr/bin/env -i PATH=/usr/bin:/bin LANG=C.UTF-8 "$@"; }
pip() { inside /opt/consentry/bin/python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
  --no-index --no-deps "$@"; }

fresh=$(cd "$wheels" && sha256sum ./*.whl | sha256sum)
rm -rf "$rootfs/wheels"
mkdir "$rootfs/wheels"
trap 'rm -rf "$rootfs/wheels"' EXIT
if [ "$(cat "$target/wheels.sha256" 2>/dev/null)" != "$fresh" ]; then
  find "$target" -mindepth 1 -delete
  cp "$wheels"/*.whl "$rootfs/wheels/"
  inside /usr/bin/python3 -m venv /opt/consentry
  mapfile -t found < <(cd "$rootfs" && printf '/%s\n' wheels/*.whl)
  pip "${found[@]}"
  echo "$fresh" >"$target/wheels.sha256"
  rm -f "$rootfs"/wheels/*
fi
cp "$ours" "$rootfs/wheels/"
pip --force-reinstall "/wheels/$(basename "$ours")"
mke2fs -q -t ext4 -O ^has_journal -m0 -d "$target" "$image" "$(($(du -sm "$target" | cut -f1) * 12 / 10 + 64))M"
