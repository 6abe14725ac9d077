#!/usr/bin/env bash
# Installs what building and testing need on a machine that has only npm: Bun, the packages of bun.lock and the template
# models. With --tests also the Debian packages that tests compare against. Quick and harmless when all is there.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '• %s\n' "$*" >&2; }
fail() { printf 'bootstrap: %s\n' "$*" >&2; exit 1; }

# Packages that tests, smoke tests and benchmarks use as references and tools. None is needed to build or to run.
test_packages=(gcc libc6-dev libonnx-testdata python3-torch python3-sklearn python3-onnx python3-pil prometheus wrk curl
  strace iproute2 chromium libvulkan1)

install_bun() {
  local version=$1
  say "installing Bun $version into .bootstrap"
  npm install --prefix .bootstrap --ignore-scripts --no-audit --no-fund --loglevel error "bun@$version" ||
    fail "npm could not install bun@$version; is an npm registry configured and reachable?"
  # Puts the platform's executable, which came along as a package, in its place. It downloads nothing then.
  (cd .bootstrap/node_modules/bun && node install.js)
}

install_test_packages() {
  local missing=() name root=()
  for name in "${test_packages[@]}"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) == installed ]] || missing+=("$name")
  done
  ((${#missing[@]})) || return 0
  if ((EUID)); then root=(sudo -n); fi
  if ! command -v apt-get >/dev/null || ! "${root[@]}" true 2>/dev/null; then
    say "cannot install ${missing[*]} here (needs apt-get and root): the tests that use them will be skipped"
    return 0
  fi
  say "installing Debian packages for the tests: ${missing[*]}"
  local log; log=$(mktemp)
  "${root[@]}" apt-get update -qq >"$log" 2>&1 || say "apt-get update had problems; trying with the lists that are there"
  if ! DEBIAN_FRONTEND=noninteractive "${root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" \
    >>"$log" 2>&1 </dev/null; then
    sed -n '/^E: /{s#[a-z]*://[^ ]*#…#g;p}' "$log" >&2
    rm -f "$log"
    fail "apt-get could not install ${missing[*]}"
  fi
  rm -f "$log"
}

[[ $(uname -sm) == 'Linux x86_64' ]] || fail "only Linux on x86-64 is supported, this is $(uname -sm)"
command -v npm >/dev/null && command -v node >/dev/null || fail "needs npm and node: apt-get install npm"

version=$(node -p 'require("./package.json").devDependencies.bun')
bun=node_modules/.bin/bun
if [[ $("$bun" --version 2>/dev/null) != "$version" ]]; then
  bun=.bootstrap/node_modules/.bin/bun
  [[ $("$bun" --version 2>/dev/null) == "$version" ]] || install_bun "$version"
fi
"$bun" install --frozen-lockfile --silent || fail "the packages of bun.lock could not be installed"
node_modules/.bin/bun scripts/fetch-models.ts
if [[ ${1:-} == --tests ]]; then install_test_packages; fi
