#!/usr/bin/env bash
# Runs inside the virtual machine: the command in /out/command, in /app; its exit status goes to /out/status.
export PATH=/opt/consentry/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/run PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 LANG=C.UTF-8
cd /app || exit 1
echo "[machine $(cut -d' ' -f1 /proc/uptime)s] kernel $(uname -r), BlueZ $(/usr/libexec/bluetooth/bluetoothd --version)"
bash /out/command
status=$?
echo "[machine $(cut -d' ' -f1 /proc/uptime)s] ended with $status"
journalctl --no-pager --output short-monotonic >/out/journal.log 2>&1
echo $status >/out/status
sync
