# The first lines of every script that changes a host: the lock, the fence, and the link as it is.
# Wants `current`; sets `dir` and `state`. A script that fails changes nothing more and says why by its exit code:
#   65 fence file unreadable   66 release gone       70 the service's own command failed
#   73 .rollback not writable  74 write failed       75 lock busy
#   76 newer fence seen        77 link changed meanwhile
dir=${current%/*}
dir=${dir:-/}
state=$dir/.rollback

# The lock stays on file descriptor 9 until this script and what it called are gone, even if the script is killed
# in between. Commands that may leave a daemon behind are started with 9>&-, or the lock would never come free.
take_lock() {
  [ -d "$state" ] || mkdir -p -- "$state" || exit 73
  command exec 9>>"$state/lock" || exit 73
  flock -E 75 -w "$1" 9 || exit $?
}

read_fence() {
  fence_seen=0 fence_owner=''
  [ -e "$state/fence" ] || return 0
  [ -r "$state/fence" ] || exit 65
  read -r fence_seen fence_owner <"$state/fence" || :
  fence_seen=${fence_seen:-0}
  case $fence_seen in *[!0-9]*) exit 65 ;; esac
}

# A lower fence is refused; an equal one only for the same rollback.
guard_fence() {
  read_fence
  if [ "$1" -gt "$fence_seen" ]; then return 0; fi
  if [ "$1" -eq "$fence_seen" ] && [ "$2" = "$fence_owner" ]; then return 0; fi
  printf 'fence\t%s\t%s\0' "$fence_seen" "$fence_owner"
  exit 76
}

# In place and in one write of a fixed width: there is no moment at which the file is empty or half.
# Its mtime tells a guard of the host's own when a rollback was last at work here.
write_fence() {
  if [ "$fence_seen $fence_owner" = "$1 $2" ]; then
    touch -c -- "$state/fence"
    return 0
  fi
  { printf '%-95s\n' "$1 $2" 1<>"$state/fence"; } && sync -- "$state/fence" || exit 73
}

# One process gives text, inode and mtime of the link as of one moment.
read_link() {
  [ -L "$current" ] || return 1
  seen=$(QUOTING_STYLE=literal LC_ALL=C stat -c '%i:%.9Y %N' -- "$current") || return 1
  link_id=${seen%% *}
  link_target=${seen#"$link_id $current -> "}
}

print_link() {
  printf 'link\t%s\t%s\0' "$link_id" "$link_target"
}
