# Sourced by each end-to-end test: nodes in a folder of their own, on free ports of loopback, and checks that print a
# line each. What was started is ended at exit, by its process id; the exit code is 0 only if all checks held.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

tessera=$(realpath "${TESSERA:-build/dev/tessera}")
work=$(mktemp -d)
failures=0
declare -A pid_of=()

end_all() {
  local name
  for name in "${!pid_of[@]}"; do kill -9 "${pid_of[$name]}" 2>/dev/null; done
  for name in "${!pid_of[@]}"; do wait "${pid_of[$name]}" 2>/dev/null; done
  [ "$failures" -gt 0 ] && grep -hE '^(E[0-9]|     [^ ]|[0-9])' "$work"/*.log | tail -20
  rm -rf "$work"
  [ "$failures" -eq 0 ] || exit 1
}
trap end_all EXIT

check() { # check CLAIM COMMAND...: one thing that must hold.
  local claim=$1
  shift
  if "$@" >"$work/said" 2>&1; then echo "  ok   $claim"; else
    failures=$((failures + 1))
    echo "  FAIL $claim"
    tail -5 "$work/said" | sed 's/^/       /'
  fi
}
skip() { echo "  SKIP $1"; }

within() { # within SECONDS COMMAND...: it holds at last, asked again and again.
  local until=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -ge "$until" ] && return 1
    sleep 0.05
  done
}

at() { # at NODE VERB...: the command line, as its user types it.
  local node=$1
  shift
  "$tessera" "$@" --data "$work/$node"
}
ready() { at "$1" status; }
gone() { ! grep -qsv ') [XZ] ' "/proc/$1/stat"; } # gone PID: a zombie is, too.

launch() { # launch NODE OPTION...: a node in the background.
  local node=$1
  shift
  "$tessera" start --data "$work/$node" --name "$node" "$@" 2>>"$work/$node.log" &
  pid_of[$node]=$!
}
start() { # start NODE HOST OPTION...: a node on a free port of that host, which answers.
  local node=$1 host=$2
  shift 2
  launch "$node" --listen "$host:0" "$@"
  within 60 ready "$node" || { echo "  FAIL node $node does not start"; failures=$((failures + 1)); exit 1; }
}
crash() { # crash NODE: no farewell.
  kill -9 "${pid_of[$1]}"
  wait "${pid_of[$1]}" 2>/dev/null
  unset "pid_of[$1]"
}
invite_of() { at "$1" invite 2>/dev/null; }
address_of() { at "$1" status --json | field listen; }

# field NAME: of the JSON object on stdin, the first such; text without its quotes.
field() { grep -oE "\"$1\":(\"[^\"]*\"|[^,}]*)" | head -1 | cut -d: -f2- | tr -d '"'; }
job_field() { at "$1" jobs --json | grep "\"$2\"" | field "$3"; } # job_field NODE JOB NAME, of one rooted there

sees() { # sees NODE NAME...: exactly these are its peers, all with a direct line.
  local node=$1
  shift
  [ "$(at "$node" peers --json | grep '"via":"\(direct\|-\)"' | grep -oE '"name":"[^"]*"' | cut -d'"' -f4 | sort | xargs)" = \
    "$(printf '%s\n' "$@" | sort | xargs)" ]
}

trio() { # trio SLOTS: nodes a, b and c of one private mesh, joined by a's address.
  start a 127.0.0.1 --slots "$1"
  local invite
  invite=$(invite_of a)
  start b 127.0.0.2 --slots "$1" --join "$invite"
  start c 127.0.0.3 --slots "$1" --join "$invite"
  local node
  for node in a b c; do check "$node lists a, b and c" within 60 sees "$node" a b c; done
}

# photograph FILE: a real one where examples/quickstart has left it, else a picture of our own making.
photograph() {
  local file folder
  for folder in "" "${XDG_CACHE_HOME:-$HOME/.cache}/tessera/mate-backgrounds"; do
    file=$folder/usr/share/backgrounds/mate/nature/LadyBird.jpg
    [ -s "$file" ] && cp "$file" "$1" && return
  done
  skip "no photograph here (examples/quickstart fetches one): a mandelbrot is filtered instead"
  start painter 127.0.0.1 --slots 1
  at painter submit mandelbrot -p size=1500 -o "$1" 2>/dev/null
  crash painter
}

children() { cat /proc/"$1"/task/*/children 2>/dev/null; } # children PID
family() { # family NODE: its zygote and workers.
  local zygote
  for zygote in $(children "${pid_of[$1]}"); do echo "$zygote" $(children "$zygote"); done
}
workers() { local zygote; for zygote in $(children "${pid_of[$1]}"); do children "$zygote"; done; } # workers NODE
freeze() { kill -STOP $(workers "$1"); } # freeze NODE: its workers stop in the middle of what they do.
thaw() { kill -CONT $(workers "$1"); }
works() { at "$1" status --json | grep -q '"running":[1-9]'; } # works NODE: a slot of it is busy.
share_of() { # share_of NODE JOB NAME: the microtasks that NAME has returned, as far as the root knows.
  at "$1" jobs --json | grep "\"$2\"" | grep -oE "\"microtasks\":[1-9][0-9]*,\"name\":\"$3\"" | tr -dc 0-9
}
