-- SPDX-License-Identifier: Apache-2.0
--
-- The scripts for Pktgen-DPDK against a mock of its module: what rates they find, and what they have Pktgen send.
--
--   lua5.3 pktgen_dpdk_test.lua DIRECTORY-OF-THE-SCRIPTS DIRECTORY-OF-THIS-TEST
local scripts, tests = arg[1], arg[2]
package.path = scripts .. "/?.lua;" .. tests .. "/?.lua;" .. package.path

local mock = require("mock")
local search = require("search")

local failures = 0
local function check(condition, ...)
  if condition then return end
  failures = failures + 1
  io.stderr:write("failed: ", string.format(...), "\n")
end

-- The search alone, against a device that forwards up to `capacity` per cent.
local SEARCH = { trial_s = 10, confirmation_s = 60, resolution = 0.5, back_off = 0.95, lowest = 0.01 }
local function find(capacity)
  local longest = {}
  local found, trials = search.highest(function(rate, seconds)
    local limit = seconds == SEARCH.confirmation_s and capacity.confirmed or capacity.tried
    local sent = math.floor(rate * 1000 * seconds)
    longest[#longest + 1] = seconds
    return { sent = sent, received = math.min(sent, math.floor(limit * 1000 * seconds)), seconds = seconds }
  end, SEARCH)
  return found, trials
end

for _, limit in ipairs({ 100, 99.9, 73.21, 50, 12.5, 3.3, 0.6 }) do
  local found, trials = find({ tried = limit, confirmed = limit })
  check(found ~= nil, "nothing found at %g %%", limit)
  check(found.rate <= limit and found.rate > limit - SEARCH.resolution, "%g %% found for %g %%", found.rate, limit)
  check(found.seconds == 60, "the last trial is the confirmation")
  check(#trials <= 12, "%d trials for %g %%", #trials, limit)
end
do
  local found, trials = find({ tried = 100, confirmed = 100 })
  check(found.rate == 100 and #trials == 2, "a device at line rate takes a trial and its confirmation")
  found = find({ tried = 60, confirmed = 50 })
  check(found.rate <= 50 and found.rate > 50 * 0.95 - 0.5, "a rate that is lost for long is no result: %g", found.rate)
  found = find({ tried = 0, confirmed = 0 })
  check(found == nil, "a device that forwards nothing has no rate")
  check(not search.is_good({ sent = 0, received = 0 }), "nothing sent is nothing shown")
end

-- All of it: forwards 5 M frames a second, 1 M of the mix, at 10 Gbit/s.
local CAPACITY = 5e6
local device = mock.new(10000, function(kind) return kind == "mix" and 1e6 or CAPACITY end)
_G.pktgen = device.pktgen
local settings_path, result_path = os.tmpname(), os.tmpname()
local settings_file = assert(io.open(settings_path, "w"))
settings_file:write(string.format([[
  local settings = dofile(%q)
  settings.result = %q
  return settings
]], scripts .. "/settings.lua", result_path))
settings_file:close()
local getenv, real_print = os.getenv, print
os.getenv = function(name)  -- luacheck: ignore
  if name == "TANDEM_SETTINGS" then return settings_path end
  return getenv(name)
end
print = function() end  -- luacheck: ignore
dofile(scripts .. "/tandem.lua")
print = real_print  -- luacheck: ignore

local rows = {}
for line in io.lines(result_path) do
  local size, flows, rate, frames, mbps = line:match("^([^,]+),(%d+),([%d.]+),(%d+),(%d+)$")
  if size then
    rows[#rows + 1] = { size = size, flows = tonumber(flows), rate = tonumber(rate), frames = tonumber(frames),
                        mbps = tonumber(mbps) }
  end
end
os.remove(settings_path)
os.remove(result_path)
check(#rows == 4 * 4 + 1, "%d rows", #rows)
for _, row in ipairs(rows) do
  local bytes = row.size == "imix" and (7 * 64 + 4 * 570 + 1518) / 12 or tonumber(row.size)
  local line_rate = 10e9 / (8 * (bytes + 20))
  local limit = math.min(line_rate, row.size == "imix" and 1e6 or CAPACITY)
  check(row.frames <= limit + 1 and row.frames > limit - line_rate * 0.006, "%s bytes, %d flows: %d, not about %d",
    row.size, row.flows, row.frames, limit)
  check(math.abs(row.mbps - row.rate * 100) <= 2, "%s bytes: %g %% are not %d Mbit/s", row.size, row.rate, row.mbps)
  check(row.size ~= "imix" or row.flows == 12, "the mix has %d flows", row.flows)
end

-- What range mode goes through is as many flows as were asked for.
local profiles = require("profiles")
local settings = dofile(scripts .. "/settings.lua")
for _, flows in ipairs(settings.flows) do
  check(profiles.set(settings, 128, flows) == flows, "%d flows are set", flows)
  check(device.is_range and device.range.pkt_size.start == 128, "range mode is on, with the size")
  local count = device:flows(flows)
  check(count == flows and device:flows(flows + flows // 8) == flows, "%d flows are %d", flows, count)
  check(device.range.dst_ip.start == settings.virtual_address, "requests go to the virtual server")
end
check(not pcall(profiles.set, settings, 64, 7), "a number of flows without a profile is refused")

if failures > 0 then os.exit(1) end
print("all passed")
