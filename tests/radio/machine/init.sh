#!/bin/busybox sh
# shellcheck shell=dash
# The first program of the virtual machine, in its initial RAM disk: finds the root image and starts systemd there.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
for module in /mod/*.ko; do $b insmod "$module"; done
tries=0
while [ ! -b /dev/vda ] && [ $tries -lt 100 ]; do
  $b sleep 0.05
  tries=$((tries + 1))
done
$b mount -t ext4 -o rw,noatime /dev/vda /new || {
  echo "machine: the root image cannot be mounted"
  $b poweroff -f
}
for place in dev proc sys; do $b mount --move /$place /new/$place; done
exec $b switch_root /new /sbin/init
