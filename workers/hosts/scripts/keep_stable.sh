# Notes the release that was just proven, where a person finds it without us.
# shellcheck shell=sh disable=SC2154
target=$2 name=$3 fence=$4 rollback=$5 wait_s=$6
take_lock "$wait_s"
guard_fence "$fence" "$rollback"
read_link || exit 77
if [ "$link_target" != "$target" ]; then
  print_link
  exit 77
fi
new=$state/last_stable.new
# On the disk before it is in its place: a reset leaves the old or the new, not an empty one.
{ printf '%s\n' "$name" >"$new" && sync -- "$new" && mv -fT -- "$new" "$dir/last_stable"; } || exit 74
printf 'end\0'
