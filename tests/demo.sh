#!/usr/bin/env bash
# rosterd at work in a pretend company, with the real binary and over real HTTP.
#
# Needs Rust and nothing else. Builds without optimisation, which is what makes a fresh clone
# ready soonest. Everything it writes is in a temporary directory; the HTML report stays.
#
# Ends by itself when stdin is no terminal. On one it waits for Enter first, so that you can
# try commands of your own against the pretend tenants.

set -euo pipefail
cd "$(dirname "$0")/.."

# How many lines of a report are shown.
lines=${DEMO_LINES:-40}

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
else
    bold='' dim='' plain=''
fi

say() { printf '%s\n' "$@"; }
step=0
heading() {
    step=$((step + 1))
    printf '\n%s%d. %s%s\n\n' "$bold" "$step" "$1" "$plain"
}
fail() {
    printf 'demo: %s\n' "$1" >&2
    exit 1
}

place=$(mktemp -d "${TMPDIR:-/tmp}/rosterd-demo.XXXXXX")
sim=''
clean() {
    if [ -n "$sim" ]; then
        kill "$sim" 2>/dev/null || true
        wait "$sim" 2>/dev/null || true
    fi
    # The report is the one thing that stays.
    rm -rf "$place/state" "$place/sim.json" "$place/sim.log" "$place/out"
    rmdir "$place" 2>/dev/null || true
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Cuts a report to what fits a screen, and says so.
shorten() {
    awk -v most="$lines" '
        NR <= most { print; next }
        { kept[NR % 8] = $0 }
        END {
            if (NR > most) {
                tail = NR - most < 8 ? NR - most : 8
                cut = NR - most - tail
                if (cut > 0) printf "    … %d more lines …\n", cut
                for (i = NR - tail + 1; i <= NR; i++) print kept[i % 8]
            }
        }'
}

# Shows a command as one would type it, then runs it. $1 is the exit code that is right.
rosterd() {
    local right=$1 code=0
    shift
    printf '%s$ rosterd %s%s\n' "$dim" "$*" "$plain"
    "$bin/rosterd" -c config/demo.toml --log warn "$@" >"$place/out" || code=$?
    shorten <"$place/out"
    [ "$code" -eq "$right" ] || fail "rosterd $* ended with $code instead of $right"
}

# One of the addresses and names that the simulator printed.
field() { sed -n "s|.*\"$1\":\"\([^\"]*\)\".*|\1|p" "$place/sim.json"; }

# A request to the simulator's control, without curl: METHOD PATH [BODY]. Gives the body back.
control() {
    local method=$1 path=$2 body=${3:-} authority host port status answer
    authority=$(field base)
    authority=${authority#http://}
    host=${authority%:*} port=${authority##*:}
    exec 3<>"/dev/tcp/$host/$port"
    printf '%s /sim%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s' \
        "$method" "$path" "$authority" "$(printf %s "$body" | wc -c)" "$body" >&3
    answer=$(cat <&3)
    exec 3>&-
    status=${answer#* }
    status=${status%%[ $'\r']*}
    case $status in
    2??) printf '%s' "${answer#*$'\r\n\r\n'}" ;;
    *) fail "the simulator answers $status to $method $path" ;;
    esac
}

# --- build, and start the pretend tenants ------------------------------------------------

say "Building rosterd and the simulator; the first time this takes some minutes."
cargo build --quiet --locked --package rosterd --package rosterd-sim
bin=${CARGO_TARGET_DIR:-target}/debug

"$bin/rosterd-sim" --users 200 --groups 40 --memberships 900 \
    --okta-users 120 --okta-groups 20 --okta-memberships 400 \
    >"$place/sim.json" 2>"$place/sim.log" &
sim=$!
for _ in $(seq 100); do
    [ -s "$place/sim.json" ] && break
    kill -0 "$sim" 2>/dev/null || fail "the simulator does not start: $(cat "$place/sim.log")"
    sleep 0.1
done
[ -s "$place/sim.json" ] || fail "the simulator does not answer"

export ROSTERD__STATE__PATH=$place/state
ROSTERD__SOURCES__ENTRA__ENDPOINT=$(field base)
ROSTERD__SOURCES__ENTRA__AUTHORITY=$(field authority)
ROSTERD__SOURCES__OKTA__ORG_URL=$(field okta)
DEMO_ENTRA_SECRET=$(field client_secret)
DEMO_OKTA_TOKEN=$(field okta_token)
export ROSTERD__SOURCES__ENTRA__ENDPOINT ROSTERD__SOURCES__ENTRA__AUTHORITY
export ROSTERD__SOURCES__OKTA__ORG_URL DEMO_ENTRA_SECRET DEMO_OKTA_TOKEN
