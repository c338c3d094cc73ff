#!/bin/bash
# The questions to the service, asked inside the container that service.sh boots.
set -uo pipefail

unit=rosterd.service
settings=/etc/rosterd/rosterd.toml

finish() {
  journalctl --no-pager -o cat -u "$unit" >/said/journal 2>&1
  systemctl --no-block exit
  exit 0
}
claim() { # claim WORDS COMMAND...: the command succeeds, or this ends here
  local words=$1
  shift
  if said=$("$@" 2>&1); then
    echo "ok: $words" >>/said/progress
  else
    printf 'NOT ok: %s\n%s\n' "$words" "$said" >>/said/progress
    finish
  fi
}
is() { [ "$(systemctl show --value -p "$1" "$unit")" = "$2" ]; }
logged() { journalctl --no-pager -o cat -u "$unit" | grep -qF -- "$1"; }
# Answers come when they come: asked again until the patience of 30 s is over.
soon() { for _ in $(seq 300); do "$@" && return 0; sleep 0.1; done; return 1; }
other_process_than() { is ActiveState active && ! is MainPID "$1"; }
refused() { logged "unknown key"; }

claim 'systemctl start comes back when rosterd says it is ready' systemctl start "$unit"
claim 'it is active' is ActiveState active
claim 'it runs as a user that exists only meanwhile' is DynamicUser yes
claim 'commands reach it over its socket in the runtime directory' /opt/bin/rosterd status
claim 'a secret comes as a credential, and a sync works' /opt/bin/rosterd sync
claim 'the journal has the fields of a line' \
  bash -c "journalctl --no-pager -o json -u $unit | grep -q ROSTERD_RUN_ID"
claim 'its state is in the state directory' test -e /var/lib/private/rosterd
claim 'a sync made accounts' bash -c '/opt/bin/rosterd export accounts --portal people | grep -q @'

pid=$(systemctl show --value -p MainPID "$unit")
claim 'a reload with good settings comes back' systemctl reload "$unit"
claim 'and is the same process' is MainPID "$pid"
cp "$settings" /run/good.toml
echo 'nonsense = 1' >>"$settings"
claim 'a reload with broken settings comes back' systemctl reload "$unit"
claim 'the log says what is wrong with them' soon refused
claim 'and the service stays' is MainPID "$pid"
cp /run/good.toml "$settings"

claim 'a crash' kill -KILL "$pid"
claim 'is followed by a new start' soon other_process_than "$pid"
claim 'that has everything' bash -c '/opt/bin/rosterd export accounts --portal people | grep -q @'

claim 'systemctl stop ends it' systemctl stop "$unit"
claim 'it is gone' is ActiveState inactive
claim 'in good order' is Result success

echo 'nonsense = 1' >>"$settings"
claim 'with broken settings it does not start' bash -c "! systemctl start $unit"
claim 'says that they are what is wrong' is ExecMainStatus 2
claim 'and is not started again and again' is NRestarts 0

touch /said/done
finish
