# What going back destroys: the unit's state and the last of its log.
unit=$1 since_s=$2 bytes=$3
print_unit "$unit"
printf 'log\t'
journalctl --unit="$unit" --since="-${since_s}s" --lines=20000 --no-pager --quiet --output=short-iso-precise 2>&1 |
  tail -c "$bytes" | tr -d '\000'
printf '\0end\0'
