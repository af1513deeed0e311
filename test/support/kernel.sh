#!/bin/bash
# kernel uml [-d DISK] [-m MB] [-p PIDFILE] COMMAND...: COMMAND as root under Debian's user-mode kernel, in about 2 s,
#   without KVM. cgroup v2 only, device-mapper, btrfs, AppArmor; no nftables, no network. Its root is this
#   machine's own, read-only under a tmpfs overlay; DISK (a file) is /dev/ubda inside. Whoever kills the process
#   in PIDFILE cuts the power.
# kernel qemu 6.1|6.12 ROOT COMMAND...: boots Debian 12's or 13's cloud kernel in QEMU (TCG) with the files of
#   the folder ROOT and busybox as its initramfs. ROOT/modules, if there is one, names modules to load.
# kernel cloud 6.1|6.12 COMMAND...: the same kernel, with a disk that holds Node, this project as it is built, and
#   the few programs that its tests call; COMMAND starts in the project's folder.
# Prints what COMMAND prints and ends with its status; 125 when the kernel did not come so far, 77 when it
# cannot be had here (the reason is on standard error). What is needed is unpacked from Debian packages into
# the tests' cache; nothing is installed.
set -euo pipefail
cache=${TSDOCKER_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tsdocker-test}/kernels
usage() { sed -n '2,14s/^# //p' "$0" >&2; exit 2; }
unavailable() { echo "$*" >&2; exit 77; }
[ "$(uname -m)" = x86_64 ] || unavailable 'only x86_64 has these kernels'
command -v busybox >/dev/null || unavailable 'busybox is missing: apt-get install busybox-static'

# An apt of our own: lists and archives lie in the cache, and the releases are those that we name.
apt_for() { # NAME RELEASE...
  local dir=$cache/apt-$1 mirror release
  shift
  mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
  mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null \
    | grep -v '^#' | grep -oE 'https?://[^ ]+/debian/?( |$)' | head -n1 || true)
  [ -n "$mirror" ] || unavailable 'no mirror of Debian is configured for apt'
  for release in "$@"; do
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $release main"
  done >"$dir/list"
  cat >"$dir/conf" <<C
Dir::State::lists "$dir/lists"; Dir::Cache "$dir/cache"; Dir::Etc::sourcelist "$dir/list";
Dir::Etc::sourceparts "/dev/null"; Acquire::Languages "none"; Acquire::Retries "3"; APT::Sandbox::User "root";
C
  export APT_CONFIG=$dir/conf
  apt-get update -qq >/dev/null 2>&1 || unavailable "the package lists of $* cannot be had"
}

# Does its work in a folder beside, which becomes NAME when all is there: whoever is interrupted leaves nothing.
fetch() { # NAME FUNCTION
  [ -e "$cache/$1" ] && return
  mkdir -p "$cache"
  exec 9>"$cache/$1.lock"
  flock 9
  [ -e "$cache/$1" ] && return
  rm -rf "$cache/$1.new"
  mkdir -p "$cache/$1.new"
  (cd "$cache/$1.new" && "$2") >&2 || { local status=$?; rm -rf "$cache/$1.new"; exit "$status"; }
  mv "$cache/$1.new" "$cache/$1"
  exec 9>&-
}

download() { apt-get download -qq "$@" >/dev/null 2>&1 || unavailable "cannot be downloaded: $*"; }

# The kernel wants a newer libc than this release may have: both are unpacked, and it is told where.
fetch_uml() {
  apt_for sid sid trixie
  download user-mode-linux/sid libc6/trixie libgcc-s1/trixie libstdc++6/trixie patchelf/trixie
  for deb in *.deb; do dpkg -x "$deb" x; done
  local lib=x/usr/lib/x86_64-linux-gnu final=$cache/uml
  "$lib/ld-linux-x86-64.so.2" --library-path "$lib" x/usr/bin/patchelf \
    --set-interpreter "$final/$lib/ld-linux-x86-64.so.2" --set-rpath "$final/$lib" x/usr/bin/linux.uml
  rm -- *.deb
}

fetch_qemu() {
  if ! command -v qemu-system-x86_64 >/dev/null; then
    mkdir -p archives/partial
    apt-get update -qq >/dev/null 2>&1 || true
    apt-get install -qq -y --download-only --no-install-recommends -o Dir::Cache::archives="$PWD/archives" \
      -o APT::Sandbox::User=root qemu-system-x86 >/dev/null 2>&1 || unavailable 'qemu-system-x86 cannot be downloaded'
    for deb in archives/*.deb; do dpkg -x "$deb" x; done
    rm -rf archives
  fi
  touch done
}

fetch_linux() { # in a folder named linux-VERSION
  local release=bookworm image
  [ "$version" = 6.12 ] && release=trixie
  apt_for "$release" "$release"
  image=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-.*\)/\1/p' | head -n1)
  download "$image"
  dpkg -x "$image"*.deb x
  rm -- *.deb
  mv x/boot/vmlinuz-* vmlinuz
  find x -name '*.ko.xz' -exec unxz {} +
  local lib=x/usr/lib
  [ -d x/lib/modules ] && lib=x/lib
  mkdir -p modules/lib
  mv "$lib/modules" modules/lib/modules
  busybox depmod -b "$PWD/modules" "$(ls modules/lib/modules)" 2>/dev/null \
    || depmod -b "$PWD/modules" "$(ls modules/lib/modules)"
  rm -rf x
}

run_uml() {
  local disk='' memory=1024 pidfile=/dev/null option
  while getopts d:m:p: option; do
    case $option in
      d) disk=$(realpath "$OPTARG") ;;
      m) memory=$OPTARG ;;
      p) pidfile=$OPTARG ;;
      *) usage ;;
    esac
  done
  shift $((OPTIND - 1))
  [ $# -gt 0 ] || usage
  fetch uml fetch_uml
  local modules=$cache/uml/x/usr/lib/uml/modules project
  project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
  job=$(mktemp -d "$cache/job.XXXXXX")
  trap 'rm -rf "$job"' EXIT
  { printf 'cd %q || exit 125\nexport PATH=%q HOME=/root\n' "$PWD" "$PATH"; printf '%q ' "$@"; echo; } >"$job/command"
  cat >"$job/init" <<I
#!/bin/bash
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t tmpfs tmpfs /mnt && mkdir /mnt/upper /mnt/work /mnt/root
busybox insmod \$(find $modules/\$(uname -r) -name 'overlay.ko')
mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root && cd /mnt/root
mount -t proc proc proc; mount -t sysfs sysfs sys; mount -t devtmpfs dev dev
mkdir -p dev/pts dev/shm dev/mqueue lib/modules .$job
mount -t devpts devpts dev/pts; mount -t tmpfs shm dev/shm; mount -t tmpfs run run; mount -t tmpfs tmp tmp
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t bpf bpf sys/fs/bpf; mount -t securityfs securityfs sys/kernel/security
mkdir -p .$job; mount -t hostfs none .$job -o $job
mount -t hostfs none lib/modules -o $modules
mkdir -p .before && pivot_root . .before && umount -l /.before; cd /
ip link set lo up
# A project that lies where a tmpfs is now.
[ -e $project ] || { mkdir -p $project; mount -t hostfs none $project -o $project; }
# Layers cannot be stacked on what is an overlay itself.
mkdir -p $project/.tap && mount -t tmpfs tap $project/.tap
for module in veth bridge tun dm-thin-pool; do busybox modprobe \$module; done 2>/dev/null
stty -onlcr 2>/dev/null </dev/console
/bin/bash $job/command; echo \$? >$job/status
sync; echo 0 >/proc/sys/kernel/printk; echo o >/proc/sysrq-trigger; sleep 5
I
  chmod +x "$job/init"
  (
    echo "$BASHPID" >"$pidfile"
    TMPDIR=/dev/shm exec "$cache/uml/x/usr/bin/linux.uml" mem="${memory}M" rootfstype=hostfs rootflags=/ ro \
      init="$job/init" con=null con0=fd:0,fd:1 quiet loglevel=1 ${disk:+ubd0="$disk"} lsm=apparmor,yama,bpf
  ) </dev/null 2>"$job/log" | sed -u -e 's/\r$//' -e '/^reboot: /d' -e 's/sysrq: Power Off.*$//' || true
  [ -s "$job/status" ] || { echo 'the kernel stopped before the command ended' >&2; tail -n 20 "$job/log" >&2; exit 125; }
  exit "$(cat "$job/status")"
}

find_qemu() {
  fetch qemu fetch_qemu
  qemu=$(command -v qemu-system-x86_64 || echo "$cache/qemu/x/usr/bin/qemu-system-x86_64")
  firmware=()
  [ -d "$cache/qemu/x" ] || return 0
  local lib=$cache/qemu/x/usr/lib/x86_64-linux-gnu dir
  qemu_libraries=$lib:$lib/pulseaudio:$cache/qemu/x/lib/x86_64-linux-gnu
  for dir in qemu seabios; do
    [ -d "$cache/qemu/x/usr/share/$dir" ] && firmware+=(-L "$cache/qemu/x/usr/share/$dir")
  done
  return 0
}

# The modules that standard input names, and what modules.dep says that they need, into the folder $1.
copy_modules() {
  local modules=$cache/linux-$version/modules name file module
  name=$(ls "$modules/lib/modules")
  local from=$modules/lib/modules/$name to=$1/lib/modules/$name
  mkdir -p "$to"
  cp "$from"/modules.{dep,alias,symbols} "$to/" 2>/dev/null || true
  while read -r module; do
    grep -E "/${module//[-_]/[-_]}\.ko:" "$from/modules.dep" | tr -d ':' | tr ' ' '\n' || true
  done | sort -u | while read -r file; do
    [ -n "$file" ] || continue
    mkdir -p "$to/$(dirname "$file")"
    cp "$from/$file" "$to/$file"
  done
}

# Boots with the folder $job/root as initramfs, whose init prints marks around the command's output.
boot() { # QEMU's further arguments
  (cd "$job/root" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1 >"$job/initramfs")
  # TCG even where /dev/kvm exists: nested KVM may hang, and this has to be the same everywhere.
  LD_LIBRARY_PATH=${qemu_libraries:-} timeout "${TSDOCKER_KERNEL_TIMEOUT:-280}" "$qemu" "${firmware[@]}" \
    -machine q35 -accel tcg,thread=multi -cpu max -nodefaults -no-user-config -no-reboot -display none \
    -serial stdio -kernel "$cache/linux-$version/vmlinuz" -initrd "$job/initramfs" \
    -append 'console=ttyS0 quiet panic=-1 loglevel=1' "$@" </dev/null >"$job/console" 2>"$job/log" || true
  sed -e 's/\r$//' "$job/console" | sed -n '/^--- begin ---$/,/^--- end/p' | sed -e '/^--- begin ---$/d' -e '/^--- end/d'
  local status
  status=$(sed -n 's/\r$//; s/^--- end \([0-9]*\) ---$/\1/p' "$job/console" | tail -n1)
  [ -n "$status" ] || { echo 'the kernel stopped before the command ended' >&2; tail -n 20 "$job/console" "$job/log" >&2; exit 125; }
  exit "$status"
}

# The beginning of both inits: what a kernel's first process has to mount.
first_steps='#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/usr/bin:/sbin:/usr/sbin HOME=/root
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm /dev/mqueue; mount -t devpts devpts /dev/pts; mount -t tmpfs shm /dev/shm
mount -t tmpfs tmp /tmp; mount -t cgroup2 cgroup2 /sys/fs/cgroup
'

prepare() { # VERSION
  version=$1
  case $version in 6.1 | 6.12) ;; *) usage ;; esac
  fetch "linux-$version" fetch_linux
  find_qemu
  job=$(mktemp -d "$cache/job.XXXXXX")
  trap 'rm -rf "$job"' EXIT
  mkdir -p "$job/root"/{bin,proc,sys,dev,tmp,run,root}
  cp "$(command -v busybox)" "$job/root/bin/busybox"
}

run_qemu() {
  [ $# -ge 3 ] || usage
  local root=$2
  prepare "$1"
  shift 2
  cp -a "$root/." "$job/root/"
  touch "$job/root/modules"
  copy_modules "$job/root" <"$job/root/modules"
  { printf '%q ' "$@"; echo; } >"$job/root/command"
  { echo "$first_steps"; cat <<'I'; } >"$job/root/init"
# A rootfs cannot be pivoted: what is tested gets a root that can.
mkdir /mnt && mount -t tmpfs root /mnt
for entry in /*; do case $entry in /mnt | /proc | /sys | /dev | /tmp) ;; *) cp -a "$entry" /mnt/ ;; esac; done
cd /mnt && mkdir -p proc sys dev tmp
for place in proc sys dev tmp; do mount --move /$place $place; done
exec switch_root /mnt /bin/busybox sh -c '
  while read -r module; do modprobe "$module" || echo "no module $module"; done </modules
  ip link set lo up
  stty -F /dev/ttyS0 -onlcr
  echo "--- begin ---"
  sh /command; echo "--- end $? ---"
  poweroff -f'
I
  chmod +x "$job/root/init"
  boot -m 1024 -smp 1
}

# Programs with the libraries that they want, into the folder $1.
copy_programs() {
  local to=$1 program file
  shift
  for program in "$@"; do
    file=$(command -v "$program" 2>/dev/null || ls /usr/lib/*/"$program" 2>/dev/null | head -n1)
    [ -n "$file" ] || continue
    { echo "$file"; ldd "$file" 2>/dev/null | grep -oE '/[^ ]+' || true; } | while read -r file; do
      mkdir -p "$to$(dirname "$file")"
      cp -Lu "$file" "$to$file"
    done
  done
}

run_cloud() {
  [ $# -ge 2 ] || usage
  command -v mke2fs >/dev/null || unavailable 'mke2fs is missing: apt-get install e2fsprogs'
  local project tree
  project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
  local inside=/project
  prepare "$1"
  shift
  printf '%s\n' virtio_pci virtio_blk ext4 crc32c_generic crc32c_intel | copy_modules "$job/root"
  tree=$job/tree
  mkdir -p "$tree"/{bin,sbin,proc,sys,dev,tmp,run,root,etc,var/tmp} "$tree$inside"
  cp "$(command -v busybox)" "$tree/bin/busybox"
  # Where tests look for it.
  mkdir -p "$tree/usr/bin" && ln -sf /bin/busybox "$tree/usr/bin/busybox"
  copy_programs "$tree" node bash ip nft libnftables.so.1 libgcc_s.so.1 unshare nsenter mount umount
  cp -a "$cache/linux-$version/modules/lib/modules" "$tree/usr/lib/modules" 2>/dev/null \
    || { mkdir -p "$tree/usr/lib"; cp -a "$cache/linux-$version/modules/lib/modules" "$tree/usr/lib/modules"; }
  [ -e "$tree/lib" ] || ln -s usr/lib "$tree/lib"
  # The kernel itself calls this one for what rules and links need.
  ln -s /bin/busybox "$tree/sbin/modprobe"
  [ -d "$tree/lib/modules" ] || ln -s /usr/lib/modules "$tree/lib/modules"
  cp /etc/ld.so.cache /etc/passwd /etc/group "$tree/etc/" 2>/dev/null || true
  (cd "$project" && cp -a --parents dist package.json .taprc api-spec node_modules "$tree$inside/")
  { echo "cd $inside"; printf '%q ' "$@"; echo; } >"$tree/command"
  { echo "$first_steps"; cat <<'I'; } >"$job/root/init"
for module in virtio_pci virtio_blk ext4; do modprobe $module; done
mkdir /mnt; mount -t ext4 /dev/vda /mnt || { echo "no disk"; poweroff -f; }
cd /mnt
for place in proc sys dev tmp; do mount --move /$place $place; done
exec switch_root /mnt /bin/busybox sh -c '
  /bin/busybox --install -s /bin
  for module in overlay veth bridge nf_tables nft_chain_nat nft_masq nft_ct nft_redir nft_fib_inet nft_reject_inet \
    nft_compat br_netfilter xt_conntrack macvlan dummy loop; do modprobe $module 2>/dev/null; done
  mount -t tmpfs run /run; ip link set lo up
  stty -F /dev/ttyS0 -onlcr
  echo "--- begin ---"
  sh /command 2>&1; echo "--- end $? ---"
  poweroff -f'
I
  chmod +x "$job/root/init"
  truncate -s 2G "$job/disk"
  mke2fs -q -t ext4 -O ^has_journal -d "$tree" "$job/disk" >&2
  rm -rf "$tree"
  boot -m 2048 -smp 2 -drive "file=$job/disk,format=raw,if=virtio,cache=unsafe"
}

case ${1:-} in
  uml) shift; run_uml "$@" ;;
  qemu) shift; run_qemu "$@" ;;
  cloud) shift; run_cloud "$@" ;;
  *) usage ;;
esac
