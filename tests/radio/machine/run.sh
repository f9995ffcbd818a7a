#!/usr/bin/env bash
# Runs a command in a virtual machine with systemd, D-Bus, BlueZ and /dev/vhci; needs no hardware and no privilege.
#   run.sh [-s SUITE] [-m MIB] [-t SECONDS] [-T] CACHE SOFTWARE APP OUT COMMAND
#   SOFTWARE  is the image that becomes /opt/consentry; changes to it are lost
#   APP, OUT  are folders: /app, read only, and /out, where kernel.log, journal.log and the results are
#   -T        a TPM 2 (swtpm)
# Ends with the command's status; 125: there is none. The one processor is emulated and its clock counts instructions
# (2 ns each; while it waits its clock goes as ours), so that a loaded computer makes a run longer and changes nothing
# in it.
set -euo pipefail
suite=bookworm memory=1536 limit=600 tpm=()
while getopts s:m:t:T option; do
  case $option in
    s) suite=$OPTARG ;;
    m) memory=$OPTARG ;;
    t) limit=$OPTARG ;;
    T) tpm=(wanted) ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
cache=$1/$suite software=$2 app=$3 out=$4
printf '%s\n' "$5" >"$out/command"
rm -f "$out/status"

work=$(mktemp -d)
trap 'kill ${tpm_pid:-} 2>/dev/null || true; rm -rf "$work"' EXIT
if [ ${#tpm[@]} -gt 0 ]; then
  mkdir "$work/tpm"
  swtpm socket --tpmstate dir="$work/tpm" --ctrl type=unixio,path="$work/tpm/socket" --tpm2 --terminate &
  tpm_pid=$!
  for _ in {1..50}; do
    [ ! -S "$work/tpm/socket" ] || break
    sleep 0.1
  done
  tpm=(-chardev "socket,id=tpm0,path=$work/tpm/socket" -tpmdev 'emulator,id=tpm0,chardev=tpm0'
    -device 'tpm-tis,tpmdev=tpm0')
fi

append="console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable no_timer_check random.trust_cpu=on"
append+=" cryptomgr.notests systemd.unit=multi-user.target systemd.show_status=0"
append+=" systemd.wants=machine-command.service systemd.firstboot=off"
status=0
timeout --kill-after=10 "$limit" qemu-system-x86_64 -accel tcg -icount shift=1 \
  -cpu 'qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt,+aes,+rdrand' -smp 1 -m "$memory" \
  -nodefaults -no-user-config -display none -no-reboot \
  -kernel "$cache/vmlinuz" -initrd "$cache/initrd.gz" -append "$append" -serial "file:$out/kernel.log" \
  -device virtio-serial-pci -chardev stdio,id=console,signal=off -device virtconsole,chardev=console \
  -drive "if=none,id=root,format=raw,snapshot=on,file=$cache/root.img" -device virtio-blk-pci,drive=root \
  -drive "if=none,id=software,format=raw,snapshot=on,file=$software" -device virtio-blk-pci,drive=software \
  -device virtio-rng-pci "${tpm[@]}" -nic none \
  -virtfs "local,path=$app,mount_tag=app,security_model=none,readonly=on" \
  -virtfs "local,path=$out,mount_tag=out,security_model=none" </dev/null || status=$?
[ -s "$out/status" ] || {
  echo "no result (QEMU ended with $status; 124 is the time limit of $limit s); the kernel's last words:" >&2
  tail -20 "$out/kernel.log" >&2
  exit 125
}
exit "$(cat "$out/status")"
