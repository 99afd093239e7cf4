# Shared by quickstart, check and scripts/packages: progress, logs and failures told one way. Sourced, never run.
# A stage is one command whose output goes to a log; the reader sees its name, the time it takes, and on failure the
# end of the log.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
log_dir="$root/build/log"
mkdir -p "$log_dir"

ticker_pid=""
stop_ticker() {
  if [ -n "$ticker_pid" ]; then
    # One group: bash warns of a process that is gone already outside the redirection of `wait` alone.
    { kill "$ticker_pid" && wait "$ticker_pid"; } 2>/dev/null || true
    ticker_pid=""
  fi
  if [ -t 1 ]; then printf '\r\033[K'; fi
}
trap stop_ticker EXIT

# The last line of a log, short enough for one row.
last_line() { tail -c 400 "$1" 2>/dev/null | tr '\r' '\n' | grep -v '^ *$' | tail -n 1 | cut -c1-70 || true; }

# On a terminal one line that redraws every second; otherwise a plain line every minute.
tick() {
  local label="$1" log="$2" seconds=0
  while sleep 1 >/dev/null 2>&1; do
    seconds=$((seconds + 1))
    if [ -t 1 ]; then
      printf '\r\033[K%-28s %4d s  %s' "$label" "$seconds" "$(last_line "$log")"
    elif [ $((seconds % 60)) -eq 0 ]; then
      printf '%-28s %4d s so far: %s\n' "$label" "$seconds" "$(last_line "$log")"
    fi
  done
}

# stage LABEL COMMAND...: runs the command with its output in build/log/LABEL.log. Ends the script if it fails.
# A command that leaves a line "summary: TEXT" in its log has TEXT shown beside the time.
stage() {
  local label="$1" status=0 start log summary
  shift
  log="$log_dir/${label//[^A-Za-z0-9]/-}.log"
  start=$SECONDS
  : >"$log"
  tick "$label" "$log" 2>/dev/null &
  ticker_pid=$!
  "$@" >"$log" 2>&1 || status=$?
  stop_ticker
  if [ "$status" -ne 0 ]; then
    show_failure "$label" "$status" "$log" >&2
    exit "$status"
  fi
  summary="$(sed -n 's/^summary: //p' "$log" | tail -n 1)"
  printf '%-28s %4d s%s\n' "$label" "$((SECONDS - start))" "${summary:+  $summary}"
}

# What went wrong: the lines that matter of the log (all of a short one), and where the rest is.
show_failure() {
  local label="$1" status="$2" log="$3"
  printf '%s FAILED (exit %s). From %s:\n\n' "$label" "$status" "${log#"$root"/}"
  case "$label" in
    tests*) grep -vE '^ *[0-9]+/[0-9]+ Test .*(Passed|Skipped)|^ +Start +[0-9]+:' "$log" || true ;;
    *) tail -n 60 "$log" ;;
  esac
}

die() {
  printf '%s\n' "$*" >&2
  exit 1
}

# Compiling against libtorch takes up to 2 GB a job.
job_count() {
  local cores memory
  cores="$(nproc)"
  memory="$(awk '/^MemAvailable:/ { print int($2 / 2000000) }' /proc/meminfo 2>/dev/null || echo 1)"
  [ "${memory:-1}" -ge 1 ] || memory=1
  echo $((cores < memory ? cores : memory))
}

# configure PRESET: only when there is no build folder yet or the presets changed; ninja sees to the rest.
configure() {
  [ "$root/build/$1/build.ninja" -nt "$root/CMakePresets.json" ] || (cd "$root" && cmake --preset "$1")
}

# build PRESET [TARGET...]: the targets, or everything.
build() {
  local preset="$1"
  shift
  (cd "$root" && cmake --build --preset "$preset" --parallel "$(job_count)" ${1:+--target "$@"})
}
