# SPDX-License-Identifier: Apache-2.0
#
# Completion of tandemctl for bash. What may follow is tandemctl's own answer, so it cannot be out of
# date, and names of virtuals, pools, members and ports are those of the running device.

_tandemctl() {
  local line=${COMP_LINE:0:COMP_POINT} current='' word
  local -a words options candidates

  # Split at blanks, not at COMP_WORDBREAKS: the colon of 10.0.0.1:80 belongs to the word.
  read -ra words <<<"$line"
  if [[ $line != *[[:blank:]] ]]; then
    current=${words[-1]}
    unset 'words[-1]'
  fi
  unset 'words[0]'
  words=("${words[@]}")

  # Options are no part of the command; the socket matters for asking.
  local -a command=()
  local i
  for ((i = 0; i < ${#words[@]}; ++i)); do
    case ${words[i]} in
      --socket) options+=(--socket "${words[++i]:-}") ;;
      --socket=*) options+=("${words[i]}") ;;
      -*) ;;
      *) command+=("${words[i]}") ;;
    esac
  done

  COMPREPLY=()
  if [[ ${#words[@]} -gt 0 && ${words[-1]} == --socket ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
    return
  fi
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W '--json --raw --socket --help --version' -- "$current")
    return
  fi
  mapfile -t candidates < <("${COMP_WORDS[0]}" "${options[@]}" __complete "${command[@]}" 2>/dev/null)
  for word in "${candidates[@]}"; do
    if [[ $word == @file ]]; then
      mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current")
    elif [[ $word == "$current"* ]]; then
      COMPREPLY+=("$word")
    fi
  done

  # bash replaces only what follows the last colon of the word.
  if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then
    local prefix=${current%"${current##*:}"}
    COMPREPLY=("${COMPREPLY[@]#"$prefix"}")
  fi
}

complete -o bashdefault -F _tandemctl tandemctl
