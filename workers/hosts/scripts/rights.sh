# May the deployer do, through sudo, what the plan asks of systemd? Asks; does nothing.
unit=$1
shift
command -v sudo >/dev/null || printf 'no-tool\tsudo\0'
for verb in "$@"; do
  case $verb in
    daemon-reload) set -- systemctl "$verb" ;;
    kill*) set -- systemctl kill --kill-who=main "--signal=${verb#kill:}" "$unit" ;;
    *) set -- systemctl "$verb" "$unit" ;;
  esac
  sudo -n -l "$@" >/dev/null 2>&1 || printf 'refused\t%s\0' "$*"
done
printf 'end\0'
