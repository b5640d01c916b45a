#!/usr/bin/env bash
# Gets the programs that some tests drive, where they are missing: Chromium for the page, tmux for the screen,
# and promtool for metrics and alert rules. Debian's packages; promtool is only unpacked, so that no service is installed.
set -euo pipefail
cd "$(dirname "$0")/.."

updated=no
apt() {
  if [ "$updated" = no ]; then apt-get update -qq >/dev/null && updated=yes; fi
  DEBIAN_FRONTEND=noninteractive apt-get "$@" >/dev/null
}

failed=0
missing() {
  echo "$1 is missing and could not be installed here: $2" >&2
  failed=1
}

if ! command -v chromium >/dev/null && ! command -v chromium-browser >/dev/null; then
  echo "installing chromium (once, about a minute)"
  apt install -y -qq --no-install-recommends chromium ||
    missing chromium "the tests of the page need it; on Debian, as root: apt-get install chromium"
fi

if ! command -v tmux >/dev/null; then
  apt install -y -qq --no-install-recommends tmux ||
    missing tmux "the tests of mx8 tui need it; on Debian, as root: apt-get install tmux"
fi

if ! command -v promtool >/dev/null && [ ! -x build/tools/promtool ]; then
  echo "unpacking promtool from Debian's prometheus (once, seconds)"
  folder="$(mktemp -d)"
  trap 'rm -rf "$folder"' EXIT
  if (cd "$folder" && chmod 755 . && apt download -qq prometheus && dpkg-deb -x prometheus_*.deb unpacked); then
    mkdir -p build/tools
    cp "$folder/unpacked/usr/bin/promtool" build/tools/promtool
  else
    missing promtool "the tests of metrics and alert rules need it; put it on the PATH or into build/tools"
  fi
fi
exit "$failed"
