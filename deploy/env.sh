# `make env`: writes .env, the settings of docker-compose.yml, readable by its owner alone; what is there stays. The admin
# key is that of the file which the command line takes it from; see afterimage/own_key.py and services/api/security/keys.py.
set -eu
umask 077

secret() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }
sha256() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -c1-64; }
has() { grep -q "^$1=." .env; }
put() { # NAME VALUE
  has "$1" && return
  grep -q "^$1=" .env || echo "$1=" >> .env
  sed "s|^$1=\$|$1=$2|" .env > .env.new && mv .env.new .env
}

[ -e .env ] || cp .env.example .env
put AFTERIMAGE_REDIS_PASSWORD "$(secret 32)"
put AFTERIMAGE_GRAFANA_PASSWORD "$(secret 32)"
put AFTERIMAGE_SECRET_KEY "$(head -c 32 /dev/urandom | base64 | tr +/ -_)"

case "$(uname)" in
  Darwin) data="$HOME/Library/Application Support" ;;
  *) data="${XDG_DATA_HOME:-$HOME/.local/share}" ;;
esac
file="$data/afterimage/admin.key"
if ! has AFTERIMAGE_ADMIN_KEY_HASH; then
  if ! [ -s "$file" ]; then
    mkdir -p "$data/afterimage"
    begin="afi_$(secret 8)_$(secret 32)"
    printf '%s_%s\n' "$begin" "$(printf %s "$begin" | sha256 | cut -c1-8)" > "$file"
  fi
  key="$(cat "$file")"
  put AFTERIMAGE_KEY "$key"
  put AFTERIMAGE_ADMIN_KEY_HASH "$(printf %s "$key" | cut -c5-20):$(printf %s "$key" | sha256)"
fi
[ ! -s "$file" ] || echo "admin key: $file"
