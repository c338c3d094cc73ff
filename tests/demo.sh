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
sim='' daemon=''
clean() {
    # The daemon first: it is asking the tenants.
    for process in $daemon $sim; do
        kill "$process" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    done
    # The report is the one thing that stays.
    rm -rf "$place/state" "$place/sim.json" "$place/sim.log" "$place/out" \
        "$place/daemon.log" "$place/admin.token"
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
quiet=--quiet
[ ! -t 2 ] || quiet=
cargo build $quiet --locked --package rosterd --package rosterd-sim
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

say '' "Contoso has 200 people in Entra ID and 120 in Okta, all of them invented. Those who are" \
    "assigned to the portal's application get accounts in a store, a dashboard and a device" \
    "management portal, which rosterd keeps itself. The settings are in config/demo.toml."

# --- the first run -----------------------------------------------------------------------

heading "Do the settings hold, and do the credentials?"
rosterd 0 check

heading "What would a first run do? Nothing is changed by asking."
rosterd 0 plan

report=$place/report.html
"$bin/rosterd" -c config/demo.toml --log warn plan --format html >"$report"
say '' "The same plan for a browser: $report"

heading "Do it."
lines=12 rosterd 0 sync

heading "Do it again. There must be nothing to do."
rosterd 0 sync

# --- the daemon --------------------------------------------------------------------------

heading "Now the daemon. It holds the store, and commands talk to it."
od -An -tx1 -N16 /dev/urandom | tr -d ' \n' >"$place/admin.token"
chmod 600 "$place/admin.token"
export ROSTERD__SERVER__LISTEN=127.0.0.1:0
export ROSTERD__SERVER__ADMIN_TOKEN__FILE=$place/admin.token
printf '%s$ rosterd run &%s\n' "$dim" "$plain"
"$bin/rosterd" -c config/demo.toml run >/dev/null 2>"$place/daemon.log" &
daemon=$!
console=''
for _ in $(seq 300); do
    console=$(sed -n 's|.*listening on \(http://[^ ]*\).*|\1|p' "$place/daemon.log")
    [ -n "$console" ] && grep -q ' is up' "$place/daemon.log" && break
    kill -0 "$daemon" 2>/dev/null || fail "the daemon does not start: $(cat "$place/daemon.log")"
    sleep 0.1
done
[ -n "$console" ] || fail "the daemon does not listen: $(cat "$place/daemon.log")"
say "It listens on $console. Its first run comes at once, and finds nothing to do."

# --- a working day -----------------------------------------------------------------------

leaver=chinedu.kim8@contoso.com
renamed=ngoc.novakova19@contoso.com
hired=grace.hopper@contoso.com

heading "Meanwhile at Contoso"
say "Two laptops are enrolled for $leaver." ''
rosterd 0 policy set Staff --portal mdm
rosterd 0 device set LAPTOP-1 --portal mdm --assigned-to "$leaver" --policy Staff
rosterd 0 device set LAPTOP-2 --portal mdm --assigned-to "$leaver" --policy Staff

editors=$("$bin/rosterd" -c config/demo.toml --log warn export groups --source entra |
    sed -n 's|.*"id":"\([^"]*\)","displayName":"applivery-editor".*|\1|p')
id=$(control POST /graph/users "{\"userPrincipalName\": \"$hired\", \"mail\": \"$hired\",
    \"displayName\": \"Grace Hopper\", \"givenName\": \"Grace\", \"surname\": \"Hopper\",
    \"jobTitle\": \"Rear Admiral\", \"department\": \"Compilers\", \"accountEnabled\": true}" |
    sed -n 's|.*"id":"\([^"]*\)".*|\1|p')
control POST "/graph/groups/$editors/members/$id" >/dev/null
control PATCH "/graph/users/$leaver" '{"accountEnabled": false}' >/dev/null
control PATCH "/graph/users/$renamed" \
    '{"surname": "García", "displayName": "Ngọc García"}' >/dev/null
say '' "Then, at the identity provider: $hired is hired and put into" \
    "applivery-editor; $leaver leaves; $renamed marries."

heading "The next run asks only for what changed, and touches these three."
lines=70 rosterd 0 sync

heading "And then there is nothing to do."
rosterd 0 sync

# --- looking at what came of it ----------------------------------------------------------

heading "Why is the new editor an editor?"
rosterd 0 explain "$hired"

heading "Who has an account in the dashboard now?"
lines=50 rosterd 0 export accounts --portal dashboard --format text

heading "The leaver's laptops, under another policy"
rosterd 0 device list --portal mdm

heading "Every run is kept."
rosterd 0 runs

# --- the end -----------------------------------------------------------------------------

heading "What does the daemon do next?"
rosterd 0 status

say '' "That is all. The daemon goes on by itself from here, by the sources' schedules." \
    '' "The report for a browser stays at  $report" \
    "The console is at                  $console/" \
    "Its admin token is                 $(cat "$place/admin.token")"

if [ -t 0 ]; then
    say '' "The pretend tenants are still up. To try commands of your own in another terminal:" ''
    for name in ROSTERD__STATE__PATH ROSTERD__SOURCES__ENTRA__ENDPOINT \
        ROSTERD__SOURCES__ENTRA__AUTHORITY ROSTERD__SOURCES__OKTA__ORG_URL \
        DEMO_ENTRA_SECRET DEMO_OKTA_TOKEN ROSTERD__SERVER__LISTEN \
        ROSTERD__SERVER__ADMIN_TOKEN__FILE; do
        say "    export $name=${!name}"
    done
    say "    $bin/rosterd -c config/demo.toml status" ''
    read -r -p "Enter ends them. " _ || true
fi
