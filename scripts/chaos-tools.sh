#!/usr/bin/env bash
# What some faults of `npm run chaos` need: network namespaces and a packet filter. Installs Debian's
# packages where they are missing and this is root; without them those faults are skipped, with a word.
set -uo pipefail

packages=()
command -v ip >/dev/null || packages+=(iproute2)
command -v nft >/dev/null || packages+=(nftables)
if [ "${#packages[@]}" -gt 0 ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update && apt-get install -y --no-install-recommends "${packages[@]}"; } >/dev/null 2>&1 ||
    echo "cannot install ${packages[*]}: partitions are skipped" >&2
fi
exit 0
