# SPDX-License-Identifier: Apache-2.0
# Sourced by tools/test and tools/quickstart: where things are, and the packages they need.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
exec </dev/null

die() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

# Packages of tools/lib/deps that the given steps need and the machine has not.
missing_packages() {
  local steps=" $* " package step installed
  installed=$(dpkg-query --show --showformat '${db:Status-Status} ${Package}\n' 2>/dev/null |
    sed -n 's/^installed //p')
  while read -r package step; do
    case $package in ''|'#'*) continue ;; esac
    if [[ $steps == *" $step "* ]] && ! grep -qxF "$package" <<<"$installed"; then
      echo "$package"
    fi
  done <"$top/tools/lib/deps"
}

# Installs them, and nothing else.
install_packages() {
  local missing
  command -v dpkg-query >/dev/null || die "no dpkg here: install what tools/lib/deps names, on Debian 12"
  missing=$(missing_packages "$@")
  [[ -z $missing ]] && return
  [[ $(id -u) == 0 ]] || die "needs root to install:" $missing
  echo "installing with apt:" $missing
  export DEBIAN_FRONTEND=noninteractive
  apt-get -q update >/dev/null
  # shellcheck disable=SC2086
  apt-get -q -y --no-install-recommends install $missing >/dev/null
  [[ -z $(missing_packages "$@") ]] || die "apt could not install:" $(missing_packages "$@")
}

# Puts the files of a package below a directory, without installing it: for what would else become a
# service of this machine.
unpack_package() {
  local package=$1 into=$2 work
  [[ -e $into/.$package ]] && return
  work=$(mktemp -d)
  (
    cd "$work"
    apt-get -q -o APT::Sandbox::User=root download "$package" >/dev/null 2>&1 ||
      { apt-get -q update >/dev/null && apt-get -q -o APT::Sandbox::User=root download "$package" >/dev/null; }
  ) || die "apt could not download $package"
  mkdir -p "$into"
  dpkg -x "$work/$package"_*.deb "$into"
  touch "$into/.$package"
  rm -r "$work"
}
