# Sourced by benchmarks: release nodes in a folder of their own, ended at exit.
tessera=build/release/tessera
work=$(mktemp -d)
pids=()
end_all() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap end_all EXIT

start() { # start NAME OPTION...: returns when it answers.
  local name=$1
  shift
  "$tessera" start --data "$work/$name" --name "$name" "$@" 2>"$work/$name.log" &
  pids+=($!)
  for _ in $(seq 100); do
    "$tessera" status --data "$work/$name" >/dev/null 2>&1 && return
    sleep 0.1
  done
  cat "$work/$name.log" >&2
  return 1
}
invite_of() { "$tessera" invite --data "$work/$1" 2>/dev/null; }
