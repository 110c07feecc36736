-- SPDX-License-Identifier: Apache-2.0
--
-- The throughput of a device without loss, by frame size and number of flows, with Pktgen-DPDK. README.md says
-- how to run it.
local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") or "."
package.path = here .. "/?.lua;" .. package.path

local profiles = require("profiles")
local search = require("search")
local settings = dofile(os.getenv("TANDEM_SETTINGS") or here .. "/settings.lua")

local function seconds(count)
  pktgen.delay(math.floor(count * 1000))
end

local function count_of(port, name)
  return pktgen.portStats(port, "port")[math.tointeger(tonumber(port))][name]
end

local function run(rate, duration)
  pktgen.set(settings.client_port, "rate", rate)
  pktgen.clr()
  pktgen.start(settings.client_port)
  seconds(duration)
  pktgen.stop(settings.client_port)
  seconds(settings.settle_s)
  local trial = {
    sent = count_of(settings.client_port, "opackets"),
    received = count_of(settings.server_port, "ipackets"),
    seconds = duration,
  }
  print(string.format("  %7.3f %%, %3d s: %d sent, %d received, %d lost", rate, duration, trial.sent,
    trial.received, math.max(0, trial.sent - trial.received)))
  return trial
end

-- One line of the result.
local function line_of(size, flows, found)
  if not found then return string.format("%s,%d,0,0,0", size, flows) end
  local rate = found.sent / found.seconds
  return string.format("%s,%d,%.3f,%.0f,%.0f", size, flows, found.rate, rate,
    rate * profiles.wire_bits(size) / 1e6)
end

local function measure(out, size, flows)
  flows = profiles.set(settings, size, flows)
  print(string.format("%s bytes, %d flows", size, flows))
  seconds(settings.settle_s)
  local found = search.highest(run, settings)
  local line = line_of(size, flows, found)
  print(line)
  out:write(line, "\n")
  out:flush()
end

local out = assert(io.open(settings.result, "w"))
out:write("frame_size,flows,rate_percent,frames_per_second,link_mbps\n")
profiles.prepare(settings)
for _, size in ipairs(settings.frame_sizes) do
  for i, flows in ipairs(settings.flows) do
    if size ~= "imix" or i == 1 then measure(out, size, flows) end
  end
end
out:close()
