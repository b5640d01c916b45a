#!/usr/bin/env bash
# Gets the S3 service that tests of object stores drive, where it is missing: versitygw (Apache-2.0), which
# keeps objects in a folder, checks signatures and knows conditions and multipart uploads. Built from source
# with Go, once, in about two minutes; without Go those tests are skipped and say so.
set -euo pipefail
cd "$(dirname "$0")/.."

version=v1.8.0
if command -v versitygw >/dev/null || [ -x build/tools/versitygw ]; then exit 0; fi
if ! command -v go >/dev/null; then
  echo "versitygw is missing, and so is the Go to build it with: tests against S3 are skipped." >&2
  echo "Put versitygw on the PATH or into build/tools, or install Go and run this again." >&2
  exit 0
fi
echo "building versitygw $version (once, about two minutes)"
mkdir -p build/tools
GOBIN="$PWD/build/tools" GOFLAGS=-modcacherw go install "github.com/versity/versitygw/cmd/versitygw@$version" ||
  { echo "versitygw could not be built: tests against S3 are skipped." >&2; exit 0; }
