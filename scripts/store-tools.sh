#!/usr/bin/env bash
# Gets the services that tests of object stores drive, where they are missing, into build/tools: versitygw for S3
# (Apache-2.0; keeps objects in a folder, checks signatures, knows conditions and multipart uploads), built from
# source with Go in about two minutes; fake-gcs-server for Google's storage (BSD; in memory, asks for no
# token), likewise; Azurite for Azure (MIT; in memory, checks signatures), from npm, 370 MB.
# What cannot be had is said, and its tests are skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
tools="$PWD/build/tools"
mkdir -p "$tools"

from_go() {
  local name="$1" package="$2"
  if command -v "$name" >/dev/null || [ -x "$tools/$name" ]; then return; fi
  if ! command -v go >/dev/null; then
    echo "$name is missing, and so is the Go to build it with: its tests are skipped." >&2
    echo "Put $name on the PATH or into build/tools, or install Go and run this again." >&2
    return
  fi
  echo "building $package (once, about two minutes)"
  GOBIN="$tools" GOFLAGS=-modcacherw go install "$package" ||
    echo "$name could not be built: its tests are skipped." >&2
}

from_npm() {
  local name="$1" version="$2"
  if [ -d "$tools/$name/node_modules/$name" ]; then return; fi
  echo "installing $name $version (once, about a minute)"
  npm install --prefix "$tools/$name" --no-save --no-audit --no-fund --ignore-scripts --silent "$name@$version" ||
    { rm -rf "${tools:?}/$name"; echo "$name could not be installed: its tests are skipped." >&2; }
}

from_go versitygw github.com/versity/versitygw/cmd/versitygw@v1.8.0
from_go fake-gcs-server github.com/fsouza/fake-gcs-server@v1.56.1
from_npm azurite 3.37.0
