# health.sh PORT PATH: whether this container does its work, as its engine asks every few seconds: with bash, which
# Debian's images have, since starting Python alone costs many times as much. What it prints, `docker inspect` shows.
exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
printf 'GET %s HTTP/1.0\r\n\r\n' "$2" >&3
mapfile -t reply <&3
printf '%s\n' "${reply[0]}" "${reply[-1]}"
[[ ${reply[0]} == HTTP/*" 200 "* ]]
