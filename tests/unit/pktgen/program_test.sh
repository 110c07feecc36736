#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The program itself, without a device: its result as JSON, and its exit statuses.
#
#   program_test.sh TANDEM-PKTGEN
set -u
pktgen=$1
failures=0

expect() {  # STATUS WORDS ARGUMENTS...: the exit status, and words of what it says
  local wanted=$1 words=$2 said status
  shift 2
  said=$("$pktgen" "$@" 2>&1)
  status=$?
  [[ $status == "$wanted" && $said == *"$words"* ]] && return
  echo "$*: exit status $status, wanted $wanted and \"$words\"; it said: $said"
  failures=$((failures + 1))
}

expect 0 'requests received' --loopback --warm_up_s 0.1 --duration_s 0.2 --rate_pps 1000
expect 0 'connections closed' --loopback --protocol tcp --new_per_second 500 --duration_s 0.2
expect 2 '--protocol "sctp": udp or tcp' --loopback --protocol sctp
expect 2 '--queues "17": from 1 to 16' --loopback --queues 17
expect 2 '--client_port ""' --server_port net_null0
expect 2 'unexpected argument "now"' --loopback now
expect 1 '--pcap "/nowhere": ' --loopback --pcap /nowhere
expect 1 "port '--client_port': device '0000:ff:1f.7': there is no such device" --hugepages=false \
  --client_port 0000:ff:1f.7 --server_port 0000:ff:1f.6
expect 1 'cannot write it' --loopback --warm_up_s 0 --duration_s 0.1 --rate_pps 100 --json /nowhere/result

"$pktgen" --loopback --protocol tcp --flows 50 --warm_up_s 0.1 --duration_s 0.2 --rate_pps 1000 --json - |
  python3 -c '
import json, sys
result = json.load(sys.stdin)
sent = result["clients"]["requests_sent"]
assert 100 < sent == result["servers"]["requests_received"] == result["round_trip_ns"]["count"], result
assert result["lost"]["total"] == result["corrupt"] == result["misdelivered"] == 0, result
assert result["opening"]["open_flows"] == 50, result
' || failures=$((failures + 1))

# A signal ends the measurement, with its result; one that comes before has none to end.
out=$(mktemp)
"$pktgen" --loopback --warm_up_s 0.1 --duration_s 600 --rate_pps 1000 --live >"$out" &
for ((i = 0; i < 600; ++i)); do
  grep -q measure "$out" && break
  sleep 0.1
done
kill -INT $!
wait $!
if ! grep -q 'stopped early' "$out"; then
  echo "SIGINT: it said: $(<"$out")"
  failures=$((failures + 1))
fi
rm "$out"
exit $((failures > 0))
