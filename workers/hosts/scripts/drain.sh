# Starts the service's own command for leaving or entering rotation, or says what became of it.
# It may take long, so it runs on by itself: a cut connection or a dead worker does not end it.
# shellcheck shell=sh disable=SC2154
name=$2 within_s=$3 fence=$4 rollback=$5 wait_s=$6
shift 6
take_lock "$wait_s"
guard_fence "$fence" "$rollback"
write_fence "$fence" "$rollback"
note=$state/$name
owner='' phase='' number=''
if [ -r "$note" ]; then read -r owner phase number <"$note" || :; fi
if [ "$owner $phase" = "$rollback ended" ]; then
  printf 'code\t%s\0end\0' "$number"
  # A failure is told once; asked again, the command is run again.
  [ "$number" = 0 ] || rm -f -- "$note"
  tail -c 2000 -- "$state/$name.output" >&2
  exit 0
fi
if [ "$owner $phase" = "$rollback running" ] && kill -0 "$number" 2>/dev/null; then
  printf 'running\t\0end\0'
  exit 0
fi
# What takes the other's effect back makes its note a lie: a plan that begins anew drains anew. But not beside the
# other: what still runs, because its worker died, would have the last word.
case $name in
  drain) others='undrain undrain-again' ;;
  *) others=drain ;;
esac
for other in $others; do
  owner='' phase='' number=''
  if [ -r "$state/$other" ]; then read -r owner phase number <"$state/$other" || :; fi
  if [ "$owner $phase" = "$rollback running" ] && kill -0 "$number" 2>/dev/null; then
    printf 'running\t\0end\0'
    exit 0
  fi
  rm -f -- "$state/$other"
done
# The child begins by waiting for the lock, which is ours until we have written its number down.
# shellcheck disable=SC2016
setsid sh -c '
  state=$1 note=$2 rollback=$3 within_s=$4
  shift 4
  exec 9>>"$state/lock" && flock 9 && exec 9>&-
  timeout -k 5 "$within_s" "$@"
  printf "%s ended %s\n" "$rollback" "$?" >"$note.new" && mv -fT -- "$note.new" "$note"
' sh "$state" "$note" "$rollback" "$within_s" "$@" </dev/null >"$state/$name.output" 2>&1 9>&- &
printf '%s running %s\n' "$rollback" "$!" >"$note" || exit 73
printf 'running\t\0end\0'
