#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Bash completion offers what tandemctl's help lists.
#
#   completion_test.sh TANDEMCTL COMPLETION
set -eu
tandemctl=$1
source "$2"

failures=0
expect() {  # LINE WANTED: what completes LINE, sorted, in one line
  COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDS=("$tandemctl") COMPREPLY=()
  _tandemctl
  local got
  got=$(printf '%s\n' ${COMPREPLY[@]+"${COMPREPLY[@]}"} | sort | xargs)
  [[ $got == "$2" ]] && return
  echo "\"$1\" completes to: $got; wanted: $2"
  failures=$((failures + 1))
}

mapfile -t commands < <("$tandemctl" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z].*\)$/\1/p')
verbs=$(printf '%s\n' "${commands[@]}" | cut -d' ' -f1 | sort -u | xargs)
shown=$(printf '%s\n' "${commands[@]}" | sed -n 's/^show \([a-z-]*\).*/\1/p' | sort | xargs)
((${#commands[@]} > 10))

expect 'tandemctl ' "$verbs"
expect 'tandemctl show ' "$shown"
expect 'tandemctl --json show v' 'version virtual'
expect 'tandemctl show connection proto' 'protocol'
expect 'tandemctl show connection protocol ' 'icmp icmp6 tcp udp'
expect 'tandemctl --socket /nonexistent modify virtual web ' 'disabled enabled mirror'
expect 'tandemctl modify pool web member 10.0.0.1:80 state f' 'forced-offline'
expect 'tandemctl --j' '--json'
expect 'tandemctl nonsense ' ''
exit $((failures > 0))
