# Sourced: parts of a gate. All of them run, also after one has failed, and a table says how each went. A
# part whose test is not there counts as missing and closes the gate: nothing is passed over in silence.
integration=test/integration
logs="$(mktemp -d)"
trap 'rm -rf "$logs"' EXIT
rows=()
skipped=()
closed=0

# part NAME FILE COMMAND…: runs the command if FILE, which holds the feature or its test, is there.
part() {
  local name="$1" file="$2" begun=$SECONDS result
  shift 2
  local log="$logs/${#rows[@]}"
  printf '▸ %s\n' "$name"
  if [ ! -e "$file" ]; then
    result="MISSING ($file is not there)"
  elif "$@" >"$log" 2>&1; then
    result=ok
  else
    result=FAILED
    tail -n 60 "$log"
  fi
  [ "$result" = ok ] || closed=1
  note_skipped "$name" "$log"
  rows+=("$(printf '%-52s %6ss  %s' "$name" "$((SECONDS - begun))" "$result")")
}

# A part of which every test is skipped has failed; one of many, for want of a program, is told at the end.
note_skipped() {
  local line count=0
  [ -e "$2" ] || return 0
  while IFS= read -r line; do
    skipped+=("$1: ${line#﹣ }")
    count=$((count + 1))
  done < <(grep '^ *﹣' "$2")
  [ "$count" = 0 ] || result="$result, $count skipped"
}

# tests FILE PATTERN: the tests of that file whose name matches; none at all is a failure.
tests() {
  local out
  out="$(node --test --test-reporter=spec --disable-warning=ExperimentalWarning \
    --test-name-pattern="$2" "$1" 2>&1)"
  local code=$?
  printf '%s\n' "$out"
  if ! grep -Eq '^ℹ pass [1-9]' <<<"$out"; then
    echo "no test of $1 matches $2"
    return 1
  fi
  return "$code"
}

# finish_parts WORDS: the table, and the exit status of the gate.
finish_parts() {
  printf '\n%-52s %7s  %s\n' part time result
  printf '%s\n' "${rows[@]}"
  if [ "${#skipped[@]}" != 0 ]; then
    printf '\nskipped tests, each with its reason:\n'
    printf '  %s\n' "${skipped[@]}"
  fi
  if [ "$closed" = 0 ]; then
    printf '\nready: %s\n' "$1"
  else
    printf '\nNOT ready: see above\n'
  fi
  exit "$closed"
}
