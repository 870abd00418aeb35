# Points `current` at another release, if it still is the link that the plan was made for.
# At every instant `current` is the old link or the new one.
# shellcheck shell=sh disable=SC2154
target=$2 release=$3 planned_target=$4 planned_id=$5 fence=$6 rollback=$7 wait_s=$8
take_lock "$wait_s"
guard_fence "$fence" "$rollback"
read_link || exit 77
if [ "$link_target" = "$target" ] && [ "$fence_owner" = "$rollback" ]; then
  # Ours, from before a cut: nothing is left to do but to make sure of it.
  write_fence "$fence" "$rollback"
  sync -- "$dir" || exit 74
  print_link
  printf 'end\0'
  exit 0
fi
if [ "$link_target" != "$planned_target" ] || [ "$link_id" != "$planned_id" ]; then
  print_link
  exit 77
fi
[ -e "$release" ] || exit 66
write_fence "$fence" "$rollback"
# Not `ln -sf TARGET current`: where `current` leads to a directory, that drops a link inside the old release.
ln -sfT -- "$target" "$state/current.new" || exit 74
mv -fT -- "$state/current.new" "$current" || exit 74
sync -- "$dir" || exit 74
read_link || exit 77
print_link
printf 'end\0'
