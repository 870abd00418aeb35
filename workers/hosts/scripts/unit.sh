# What systemd and the kernel say of a unit's main process.
print_unit() {
  properties=$(systemctl show --property="ActiveState,ActiveEnterTimestampMonotonic,ExecMainCode,\
ExecMainStartTimestampMonotonic,ExecMainStatus,ExecStart,InvocationID,LoadState,MainPID,NeedDaemonReload,\
NRestarts,Result,SubState,WorkingDirectory" "$1" 2>/dev/null) || properties=''
  printf 'unit\t%s\0' "$properties"
  pid=${properties##*MainPID=}
  pid=${pid%%[!0-9]*}
  if [ "${pid:-0}" -gt 0 ]; then
    # Only its own user and root may see where a process runs; its arguments everybody may.
    printf 'exe\t%s\0' "$(readlink -- "/proc/$pid/exe")"
    printf 'cwd\t%s\0' "$(readlink -- "/proc/$pid/cwd")"
    printf 'arguments\t'
    head -c 4096 -- "/proc/$pid/cmdline" 2>/dev/null | tr '\000' '\037'
    printf '\0'
  fi
}
