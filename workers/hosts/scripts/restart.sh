# Makes the service take up the release that `current` points to.
# shellcheck shell=sh disable=SC2154
target=$2 fence=$3 rollback=$4 wait_s=$5 sudo=$6 kind=$7 unit=$8 signal=$9
shift 9
path=$1
shift
case $unit in -*) exit 64 ;; esac
take_lock "$wait_s"
guard_fence "$fence" "$rollback"
read_link || exit 77
if [ "$link_target" != "$target" ]; then
  print_link
  exit 77
fi
write_fence "$fence" "$rollback"

systemd() {
  if [ "$sudo" = 1 ]; then sudo -n systemctl "$@"; else systemctl "$@"; fi
}
# A daemon that the command leaves behind keeps neither our lock nor our pipe.
run() {
  "$@" </dev/null >"$state/output" 2>&1 9>&-
  code=$?
  tail -c 2000 -- "$state/output" >&2
  return "$code"
}
start_anew() {
  if [ "$(systemctl show --property=NeedDaemonReload --value "$unit")" = yes ]; then
    systemd daemon-reload || return $?
  fi
  # The start limit that the bad release hit would refuse the good one. A unit that never failed has none to reset.
  systemd reset-failed "$unit" || :
  systemd restart "$unit"
}
is_active() { systemctl is-active --quiet "$unit"; }
replace_marker() {
  printf '%s %s\n' "$rollback" "$fence" >"$path.new" && mv -fT -- "$path.new" "$path"
}
# A pid file may hold anything; `kill` reads 0 and negative numbers as "everybody".
signal_process() {
  read -r pid <"$path" || return 1
  case $pid in '' | 0* | 1 | *[!0-9]*) return 65 ;; esac
  kill -s "$signal" "$pid"
}

case $kind in
  systemd) start_anew ;;
  reload) if is_active; then systemd reload "$unit"; else start_anew; fi ;;
  signal)
    if [ -n "$path" ]; then
      signal_process
    elif is_active; then
      systemd kill --kill-who=main --signal="$signal" "$unit"
    else
      start_anew
    fi
    ;;
  marker) replace_marker ;;
  command) run "$@" ;;
  *) exit 64 ;;
esac
code=$?
printf 'code\t%s\0' "$code"
if [ -n "$unit" ]; then print_unit "$unit"; fi
printf 'end\0'
[ "$code" -eq 0 ] || exit 70
