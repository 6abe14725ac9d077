#!/usr/bin/env bash
# From a fresh checkout to a real model's answer: installs what is needed, builds dist/aimass, starts it, installs the face
# detection template and asks it about a real photo. Stops the server at the end, unless --keep is given.
set -euo pipefail
cd "$(dirname "$0")/.."

keep=
case ${1:-} in
  --keep) keep=yes ;;
  '') ;;
  *) echo "usage: scripts/quick-start.sh [--keep]" >&2; exit 2 ;;
esac

step() { printf '\n▸ %s\n' "$*"; }
fail() { printf 'quick start: %s\n' "$*" >&2; exit 1; }

data=dist/demo-data
log=dist/demo.log
photo=.cache/samples/face.jpg
drawing=dist/face-result.png
server=

stop() { [[ -z $server ]] || { kill "$server" 2>/dev/null && wait "$server" 2>/dev/null; } || true; }
trap stop EXIT

busy() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

start() {
  local listen=127.0.0.1:8700
  if busy 8700; then listen=127.0.0.1:0; fi
  dist/aimass serve --data "$data" --listen "$listen" >>"$log" 2>&1 </dev/null &
  server=$!
  for _ in {1..200}; do
    url=$(sed -n 's/.*"message":"ready".*"listen":"\([^"]*\)".*/\1/p' "$log")
    [[ -z $url ]] || return 0
    kill -0 "$server" 2>/dev/null || break
    sleep 0.05
  done
  cat "$log" >&2
  server=
  fail "the server did not start; its log is above"
}

ask() { dist/aimass "$@" --data "$data"; }

step 'Installing what is needed'
scripts/bootstrap.sh

step 'Building dist/aimass'
PATH="$PWD/node_modules/.bin:$PATH" bun run --silent build
[[ -f $photo ]] || fail "$photo is missing; remove models/*/model.onnx and run this again"

step 'Starting it'
url=
start
echo "serving on $url, data in $data"

step 'Installing the template face-detection as the model "faces"'
ask show faces >/dev/null 2>&1 || ask install face-detection faces
ask show faces | grep -i 'licen[cs]e' || fail 'the model does not say its licence'

step "Asking it about $photo"
ask predict faces "$photo" --draw "$drawing"
[[ -s $drawing ]] || fail "nothing was drawn to $drawing"
echo "The photo with what was found is in $drawing."

step 'Going on'
if [[ -n $keep ]]; then
  cat <<TEXT
The server keeps running (process $server, log in $log). Stop it with: kill $server
  Web admin   $(dist/aimass setup-link --data "$data" 2>/dev/null || echo "$url")
  API page    $url/docs
  Ask again   curl --unix-socket $data/aimass.sock -H 'Content-Type: image/jpeg' --data-binary @$photo http://localhost/v1/models/faces/predict
  All models  dist/aimass models --data $data
TEXT
  disown "$server"
  server=
else
  cat <<TEXT
The server is stopped now. To keep it: scripts/quick-start.sh --keep, or start it yourself:
  dist/aimass serve --data $data
and then open http://127.0.0.1:8700/docs, or ask through its socket, which needs no key:
  curl --unix-socket $data/aimass.sock -H 'Content-Type: image/jpeg' --data-binary @$photo http://localhost/v1/models/faces/predict
TEXT
fi
