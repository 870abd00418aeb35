# Everything there is to know before a rollback, in one round trip. Records end with NUL, fields with a tab.
# shellcheck shell=sh disable=SC2154
releases=$2 executable=$3 complete=$4 unit=$5 wait_s=$6
printf 'now\t%s\0kernel\t%s\0' "$(date +%s.%N)" "$(uname -s -m)"
if read -r uptime_s _ </proc/uptime; then printf 'uptime\t%s\0' "$uptime_s"; fi 2>/dev/null
# The sums of releases that are one file, of the present one first: as many as can be had in a moment. What a
# directory runs says nothing of what else is in it, so two of them are never taken for the same.
print_contents() {
  for release in "$current" "$releases"/*; do
    if [ -f "$release" ]; then printf '%s\0' "$release"; fi
  done | timeout 0.05 xargs -0 -r -n 1 sha256sum -z -- 2>/dev/null | sed -z 's/^/content\t/'
}
# A worker that takes over waits until a script that a cut left running is through.
if [ "$wait_s" -gt 0 ]; then take_lock "$wait_s"; fi
read_fence
printf 'fence\t%s\t%s\0' "$fence_seen" "$fence_owner"
if [ -r "$dir/last_stable" ]; then
  read -r stable <"$dir/last_stable" || :
  printf 'stable\t%s\0' "$stable"
fi
# What a guard of the host's own made of the link while nobody of us was there: which link that is, and what it left.
if [ -r "$state/fallback" ]; then
  read -r made left _ <"$state/fallback" || :
  printf 'fallback\t%s\t%s\0' "${made-}" "${left-}"
fi
if [ ! -d "$releases" ]; then printf 'no-releases\t\0'; elif [ ! -r "$releases" ]; then printf 'unreadable-releases\t\0'; fi
if [ -L "$current" ]; then printf 'is-link\t\0'; fi
# shellcheck disable=SC3013 # every sh we know has it
if [ "$current/.." -ef "$releases" ]; then printf 'inside\t\0'; fi
[ -w "$dir" ] || printf 'read-only\t%s\0' "$dir"
if [ -e "$state" ]; then [ -w "$state" ] || printf 'read-only\t%s\0' "$state"; fi
for tool in flock stat mv ln sync; do
  command -v "$tool" >/dev/null || printf 'no-tool\t%s\0' "$tool"
done
QUOTING_STYLE=literal LC_ALL=C stat --printf='entry\t%i:%.9Y\t%f\t%N\0' -- "$current" "$releases"/* 2>/dev/null
# A link that was made beside and moved here is older than its coming: its change is the move.
stat --printf='changed\t%.9Z\0' -- "$current" 2>/dev/null
stat -f --printf='disk\t%a\t%S\t%d\t%c\0' -- "$dir" 2>/dev/null
for release in "$releases"/*; do
  if [ -n "$executable" ]; then
    if [ -d "$release" ]; then file=$release/$executable; else file=$release; fi
    [ -x "$file" ] || printf 'not-executable\t%s\0' "$release"
  fi
  if [ -n "$complete" ] && [ -d "$release" ]; then
    [ -e "$release/$complete" ] || printf 'incomplete\t%s\0' "$release"
  fi
done
if [ -n "$unit" ]; then print_unit "$unit"; fi
# Of a process that crashes, systemd knows the last start only; its journal has the first since the link was moved.
case ${properties-} in
  *NRestarts=[1-9]*)
    moved=$(stat --printf='%Z' -- "$current" 2>/dev/null)
    starts=$(timeout 1 journalctl -q --no-pager -o short-unix --since "@${moved:-0}" _PID=1 "UNIT=$unit" \
      MESSAGE_ID=39f53479d3a045ac8e11786248231fbf MESSAGE_ID=7d4958e842da4a758f6c1cdc7b36dcc5 2>/dev/null |
      head -n 5 | cut -d ' ' -f 1)
    printf 'starts\t%s\0' "$starts"
    ;;
esac
if [ ! -d "$current" ]; then print_contents; fi
printf 'end\0'
