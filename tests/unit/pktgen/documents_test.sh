#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The man page has the flags that --help has, and no other.
#
#   documents_test.sh TANDEM-PKTGEN PAGE
set -eu
help=$("$1" --help)
of_help=$(sed -nE 's/^    -([a-z_]+) .*/\1/p' <<<"$help" | sort -u)
of_page=$(sed -nE 's/^\.(B|BI|TP) \\-\\-([a-z_]+)( .*)?$/\2/p' "$2" | grep -vx help | sort -u -u)
[[ -n $of_help ]] || { echo 'no flags in --help'; exit 1; }
diff <(echo "$of_help") <(echo "$of_page")
