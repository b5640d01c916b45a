# Sourced by the scripts here: puts a Node that is new enough first on PATH. `npm ci` brings one as an
# optional dependency; where that is missing (another system, --omit=optional) the system's must do.
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
for folder in "$root"/node_modules/node-linux-*/bin; do
  if [ -x "$folder/node" ]; then PATH="$folder:$PATH"; fi
done
PATH="$root/node_modules/.bin:$PATH"
export PATH
if [ "$(node -p 'Number(process.versions.node.split(".")[0]) >= 24')" != true ]; then
  echo "mx8 needs Node 24 or later, but node is $(node --version). Run npm ci, or install Node 24." >&2
  exit 1
fi
cd "$root"
# Hundreds of processes are started by the tests; with this each begins in a third of the time.
export NODE_COMPILE_CACHE="${NODE_COMPILE_CACHE:-$root/build/compile-cache}"
