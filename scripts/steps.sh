# Sourced: runs named steps one after the other, shows how each went, and stops at the first that fails.
started=$SECONDS

step() {
  local name="$1" begun=$SECONDS
  shift
  printf '▸ %s\n' "$name"
  if "$@"; then
    printf '✔ %s (%ss)\n' "$name" "$((SECONDS - begun))"
  else
    local code=$?
    printf '✖ %s failed after %ss: %s\n' "$name" "$((SECONDS - begun))" "$*" >&2
    exit "$code"
  fi
}

finish() {
  printf '✔ all in %ss\n' "$((SECONDS - started))"
}
