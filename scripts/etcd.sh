#!/usr/bin/env bash
# Sees to it that there is an etcd (3.4 or later) for the tests, and installs Debian's where it is
# missing and we may. The tests start members of their own: no service of the system is started or used.
set -euo pipefail

if command -v etcd >/dev/null; then exit 0; fi

need() {
  echo "The tests need etcd 3.4 or later on PATH, and $1." >&2
  echo "Install it: apt-get install etcd-server, or a release from https://github.com/etcd-io/etcd" >&2
  exit 1
}

command -v apt-get >/dev/null || need "there is no apt-get here to install it with"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  { command -v sudo >/dev/null && sudo -n true 2>/dev/null; } || need "only root may install it"
  as_root=(sudo -n)
fi

# Debian's package starts a service and has it started at boot; both are none of the tests' business.
# With a run level of 1 invoke-rc.d starts nothing, and a masked unit is not started by systemd either.
unit=/etc/systemd/system/etcd.service
masked=no
if [ ! -e "$unit" ] && [ ! -L "$unit" ]; then
  "${as_root[@]}" mkdir -p "$(dirname "$unit")"
  "${as_root[@]}" ln -s /dev/null "$unit"
  masked=yes
fi
install=(env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive
  apt-get install -y -q --no-install-recommends etcd-server)
installed=yes
"${as_root[@]}" "${install[@]}" >/dev/null 2>&1 ||
  { "${as_root[@]}" apt-get update -q >/dev/null && "${as_root[@]}" "${install[@]}" >/dev/null; } ||
  installed=no
if [ "$masked" = yes ] && [ -L "$unit" ]; then
  "${as_root[@]}" rm "$unit"
  if [ -d /run/systemd/system ]; then "${as_root[@]}" systemctl disable etcd.service || true; fi
fi
[ "$installed" = yes ] && command -v etcd >/dev/null || need "apt-get could not install it"
