#!/usr/bin/env bash
# Makes the parts of the virtual machine for one Debian suite, once: kernel, initial RAM disk, root file system.
#   build.sh SUITE CACHE     bookworm or trixie; as root, with the programs of .ci/programs
# All of it comes from the mirror that this machine itself uses. An interrupted run is gone on with.
set -euo pipefail
suite=$1
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$2/$suite"
cache=$(cd "$2/$suite" && pwd)
rootfs=$cache/rootfs
packages=kmod,procps,udev,systemd,systemd-sysv,dbus,dbus-daemon,bluez,python3,python3-venv,tpm2-tools,libnss-systemd,busybox-static
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

say() { echo "[machine $suite ${SECONDS}s] $*" >&2; }
# Networks fail for a moment: what fetches is tried three times.
fetch() {
  local attempt
  for attempt in 1 2 3; do
    "$@" && return
    say "attempt $attempt of 3 failed: $1"
    sleep $((attempt * 3))
  done
  say "giving up: is there a network, and does 'apt-get update' work here?"
  return 1
}

exec 9>"$cache/lock"
flock 9
version_of_this=$(cat "$here"/*.sh "$here"/*.service | sha256sum)
[ "$(cat "$cache/complete" 2>/dev/null)" != "$version_of_this" ] || exit 0
rm -f "$cache/complete"

# shellcheck disable=SC2016  # $(SITE) is apt's own
mirror=$(apt-get indextargets --format '$(SITE)' | grep -v security | grep 'debian/*$' | sort -u | head -1)
[ -n "$mirror" ] || { say "apt knows no Debian mirror here: run 'apt-get update'"; exit 1; }

make_rootfs() {
  rm -rf "$rootfs"
  mmdebstrap --quiet --variant=minbase --include="$packages" \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' "$suite" "$rootfs" "$mirror" >"$cache/rootfs.log" 2>&1 || {
    tail -5 "$cache/rootfs.log" >&2
    return 1
  }
}
if [ ! -e "$cache/rootfs.made" ]; then
  fetch make_rootfs
  touch "$cache/rootfs.made"
  say "root file system"
fi

# The kernel comes through an apt of its own, since this machine may be of another suite.
make_kernel() (
  apt=$cache/apt
  mkdir -p "$apt"/lists/partial "$apt"/cache/archives/partial "$apt"/parts
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$apt/sources.list"
  cat >"$apt/apt.conf" <<END
Dir::State::Lists "$apt/lists";
Dir::Cache "$apt/cache";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "$apt/parts";
END
  export APT_CONFIG=$apt/apt.conf
  cd "$apt" || exit 1
  apt-get -qq update || exit 1
  package=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image/{print $2; exit}')
  rm -f ./*.deb
  apt-get -qq download "$package" 2>/dev/null || exit 1
  rm -rf "$cache/kernel"
  dpkg-deb -x "$package"_*.deb "$cache/kernel" || exit 1
)
if [ ! -e "$cache/kernel.made" ]; then
  fetch make_kernel
  rm -rf "$cache/apt"
  touch "$cache/kernel.made"
  say "kernel"
fi
version=$(basename "$cache"/kernel/boot/vmlinuz-*)
version=${version#vmlinuz-}
modules=$cache/kernel/lib/modules
[ -d "$modules" ] || modules=$cache/kernel/usr/lib/modules
modules_root=$(dirname "$(dirname "$modules")")

# Of its modules only those that are needed, with what they depend on.
depmod -b "$modules_root" "$version"
target=$rootfs/lib/modules/$version
mkdir -p "$target"
needed() { modprobe -S "$version" -d "$modules_root" --show-depends "$1" 2>/dev/null | awk '$1 == "insmod" {print $2}'; }
for module in hci_vhci bluetooth 9p 9pnet_virtio virtio_pci virtio_blk virtio_console virtio_rng ext4 autofs4 rfkill \
  uinput uhid tpm_tis tpm_crb algif_hash algif_skcipher algif_aead cmac ecb; do
  needed "$module" || true
done | sort -u | while read -r file; do
  install -D -m644 "$file" "$target/${file#*"/modules/$version/"}"
done
cp "$modules/$version"/modules.{order,builtin,builtin.modinfo} "$target/"
depmod -b "$rootfs" "$version"

install -m755 "$here/command.sh" "$rootfs/sbin/machine-command"
install -m644 "$here/command.service" "$rootfs/etc/systemd/system/machine-command.service"
printf 'hci_vhci\n9pnet_virtio\n9p\n' >"$rootfs/etc/modules-load.d/machine.conf"
# What a machine that lives for minutes has no use for; an emulated processor starts without it in half the time.
for unit in serial-getty@hvc0.service serial-getty@ttyS0.service getty@tty1.service systemd-logind.service \
  systemd-networkd.service systemd-networkd.socket systemd-timesyncd.service systemd-firstboot.service systemd-update-done.service \
  systemd-hwdb-update.service systemd-journal-catalog-update.service systemd-journal-flush.service \
  systemd-random-seed.service systemd-update-utmp.service systemd-update-utmp-runlevel.service \
  systemd-udev-settle.service systemd-udev-trigger.service systemd-binfmt.service systemd-machine-id-commit.service \
  systemd-pcrphase.service systemd-pcrphase-sysinit.service systemd-user-sessions.service ldconfig.service \
  e2scrub_reap.service dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer \
  systemd-tmpfiles-clean.timer; do
  ln -sf /dev/null "$rootfs/etc/systemd/system/$unit"
done
echo box >"$rootfs/etc/hostname"
printf '127.0.0.1 localhost box\n::1 localhost\n' >"$rootfs/etc/hosts"
mkdir -p "$rootfs/app" "$rootfs/out" "$rootfs/opt/consentry"
tr -d - </proc/sys/kernel/random/uuid >"$rootfs/etc/machine-id"

# The image holds all but our software, which has a disk of its own. Runs write to a snapshot.
size=$(($(du -sm --apparent-size --exclude="$rootfs/opt/consentry/*" "$rootfs" | cut -f1) * 13 / 10 + 64))
rm -f "$cache/root.img"
rm -rf "$rootfs/opt/consentry" && mkdir "$rootfs/opt/consentry"
mke2fs -q -t ext4 -O ^has_journal -m0 -d "$rootfs" "$cache/root.img" "${size}M"
say "root image"

# The initial RAM disk: busybox, and the modules with which the root image is reached.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{bin,proc,sys,dev,new,mod}
cp "$rootfs/bin/busybox" "$work/bin/"
count=0
for module in virtio_pci virtio_blk ext4 virtio_console; do needed "$module"; done | awk '!seen[$0]++' |
  while read -r file; do
    count=$((count + 1))
    copy=$work/mod/$(printf '%02d' "$count")-$(basename "$file")
    case $file in
      *.xz) xz -dc "$file" >"${copy%.xz}" ;;
      *.zst) zstd -qdc "$file" >"${copy%.zst}" ;;
      *) cp "$file" "$copy" ;;
    esac
  done
install -m755 "$here/init.sh" "$work/init"
(cd "$work" && find . | cpio -o -H newc --quiet) | gzip -1 >"$cache/initrd.gz"
cp "$cache"/kernel/boot/vmlinuz-* "$cache/vmlinuz"
echo "$version_of_this" >"$cache/complete"
say "done, $(du -sh "$cache" | cut -f1)"
