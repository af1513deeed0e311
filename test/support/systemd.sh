#!/bin/bash
# systemd.sh COMMAND...: runs COMMAND in the pid and mount namespaces of a systemd of its own, which has no units but
# a target, and ends with its status. For kernels where nobody else needs the control groups.
set -euo pipefail
units=$(mktemp -d)
printf '[Unit]\nDescription=nothing\nDefaultDependencies=no\n' >"$units/nothing.target"
mkdir -p /run/systemd
# Where it keeps units that are made by calls, and changes of units.
own=/run/systemd/system.control:/run/systemd/transient
SYSTEMD_UNIT_PATH=$own:$units container=other unshare --fork --pid --mount --mount-proc --kill-child \
  /lib/systemd/systemd --system --unit=nothing.target --log-target=null --show-status=no </dev/null >/dev/null 2>&1 &
systemd=$!
disown
for _ in $(seq 300); do [ -S /run/systemd/private ] && break; sleep 0.1; done
[ -S /run/systemd/private ] || { echo 'systemd does not come up' >&2; exit 1; }
first=$(cat "/proc/$systemd/task/$systemd/children")
nsenter --target "${first% }" --pid --mount "$@" || status=$?
kill -KILL "$systemd"
rm -rf "$units"
exit "${status:-0}"
