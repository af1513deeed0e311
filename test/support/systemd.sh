#!/bin/bash
# systemd.sh COMMAND...: runs COMMAND in the pid, mount and cgroup namespaces of a systemd of its own, which has no
# units but a few targets, and ends with its status; it finds the folder of the units in TSDOCKER_OWN_SYSTEMD. With
# cgroup v2 the groups are the kernel's own, where nobody else may need them; with v1, hybrid or not, they are a group of each hierarchy, which goes with it.
set -euo pipefail
inside=$(mktemp)
units=$(mktemp -d)
printf '[Unit]\nDescription=nothing\nDefaultDependencies=no\n' >"$units/nothing.target"
# What units of services stand on; what these want besides is not there, and need not be.
for target in sysinit basic sockets shutdown; do
  [ ! -e /lib/systemd/system/$target.target ] || cp /lib/systemd/system/$target.target "$units"
done
mkdir -p /run/systemd

# Mount points, types and options of the hierarchies of v1, and of the one of v2 beside them.
hierarchies=$(sed -nE 's|^([^ ]+ ){4}(/sys/fs/cgroup/[^ ]+) .* - (cgroup2?) [^ ]+ rw,?(.*)$|\2 \3 \4|p' /proc/self/mountinfo)
group=tsdocker-systemd-$$
into='while read -r at _; do [ -z "$at" ] || echo $$ >"$at/'$group'/cgroup.procs"; done <<<"$hierarchies"'
export hierarchies units TSDOCKER_OWN_SYSTEMD=$units

cat >"$inside" <<'I'
set -e
mount --make-rprivate /
if [ -n "$hierarchies" ]; then
  mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
  while read -r at type options; do
    mkdir -p "$at"
    mount -t "$type" ${options:+-o "$options"} cgroup "$at"
  done <<<"$hierarchies"
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir -p /run/systemd
fi
# Where it keeps units that are made by calls, and changes of units.
export SYSTEMD_UNIT_PATH=/run/systemd/system.control:/run/systemd/transient:$units container=other
unset NOTIFY_SOCKET
exec /lib/systemd/systemd --system --unit=nothing.target --log-target=null --show-status=no
I

end() {
  [ -z "${systemd:-}" ] || kill -KILL "$systemd" || true
  while read -r at _; do
    # They are empty when all that was in there has been ended.
    for _ in $(seq 100); do
      [ -n "$at" ] && find "$at/$group" -depth -type d -exec rmdir {} \; 2>/dev/null
      [ -d "${at:-/nowhere}/$group" ] || break
      sleep 0.1
    done
  done <<<"$hierarchies"
  rm -rf "$units" "$inside"
}
trap end EXIT
trap 'exit 143' TERM INT

while read -r at _; do
  [ -n "$at" ] || continue
  mkdir -p "$at/$group"
  # Nobody can enter a group without these.
  for file in cpuset.cpus cpuset.mems; do [ ! -e "$at/$file" ] || cat "$at/$file" >"$at/$group/$file"; done
done <<<"$hierarchies"
own=()
[ -z "$hierarchies" ] || own=(--cgroup)
bash -c "$into; exec unshare --fork --pid --mount --mount-proc --kill-child ${own[*]} bash '$inside'" \
  </dev/null >/dev/null 2>&1 &
systemd=$!
disown

# first: what is process 1 in there; empty as long as it is not.
first() { cat "/proc/$systemd/task/$systemd/children" 2>/dev/null | tr -d ' '; }
up() { [ -n "$(first)" ] && [ -S "/proc/$(first)/root/run/systemd/private" ]; }
for _ in $(seq 600); do up && break; sleep 0.1; done
if up; then
  bash -c "$into; exec \"\$@\"" bash nsenter --target "$(first)" --pid --mount ${own[*]} "$@" || status=$?
else
  echo 'systemd does not come up' >&2
  status=1
fi
exit "${status:-0}"
