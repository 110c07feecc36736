-- SPDX-License-Identifier: Apache-2.0
--
-- Traffic as tools/bench/run has it: frames of one size, or the usual Internet mix, in so many flows.
--
-- In range mode Pktgen moves every field on with every packet, each for itself: clients and ports go round
-- together, and make as many pairs as the least common multiple of their numbers. So the numbers of a profile
-- have no common divisor: 1000 flows are 8 clients by 125 ports. Of the mix, Pktgen sends a sequence of 12
-- frames (64, 570 and 1518 bytes as 7:4:1), each from a port of its own: 12 flows, however many are asked for.
local profiles = {}

local FIRST_SOURCE_PORT = 1024
local SPLITS = { [1] = { 1, 1 }, [1000] = { 8, 125 }, [100000] = { 32, 3125 }, [1000000] = { 64, 15625 } }
local MIX = { 64, 64, 570, 64, 570, 64, 1518, 64, 570, 64, 570, 64 }

local function address_after(text, count)
  local value = 0
  for part in text:gmatch("%d+") do
    value = value * 256 + math.tointeger(tonumber(part))
  end
  value = value + count
  return string.format("%d.%d.%d.%d", value >> 24 & 255, value >> 16 & 255, value >> 8 & 255, value & 255)
end

-- A field of the range page that takes `count` values from `first` on.
local function range(set, port, first, last, step)
  set(port, "start", first)
  set(port, "min", first)
  set(port, "max", last)
  set(port, "inc", step)
end

local function constant(set, port, value, step)
  range(set, port, value, value, step)
end

local function set_mix(settings)
  local port = settings.client_port
  pktgen.set_range(port, "off")
  for i, size in ipairs(MIX) do
    pktgen.seqTable(i - 1, port, {
      eth_dst_addr = settings.device_mac,
      eth_src_addr = settings.client_mac,
      ip_dst_addr = settings.virtual_address,
      ip_src_addr = settings.first_client .. "/32",
      sport = FIRST_SOURCE_PORT + i - 1,
      dport = settings.virtual_port,
      ethType = "ipv4",
      ipProto = "udp",
      vlanid = 1,  -- unused: no tag is switched on
      pktSize = size,
    })
  end
  pktgen.set(port, "seqCnt", #MIX)
  return #MIX
end

local function set_fixed(settings, size, flows)
  local split = SPLITS[flows]
  if not split then error("no profile with " .. flows .. " flows") end
  local port = settings.client_port
  local fields = pktgen.range
  pktgen.set(port, "seqCnt", 0)
  range(fields.src_ip, port, settings.first_client, address_after(settings.first_client, split[1] - 1), "0.0.0.1")
  range(fields.src_port, port, FIRST_SOURCE_PORT, FIRST_SOURCE_PORT + split[2] - 1, 1)
  constant(fields.dst_ip, port, settings.virtual_address, "0.0.0.0")
  constant(fields.dst_port, port, settings.virtual_port, 0)
  constant(fields.pkt_size, port, size, 0)
  constant(fields.ttl, port, 64, 0)
  fields.dst_mac(port, "start", settings.device_mac)
  fields.ip_proto(port, "udp")
  pktgen.set_range(port, "on")
  return flows
end

-- Of one frame with what it takes on the wire besides: preamble and gap.
function profiles.wire_bits(size)
  local bytes = 0
  for _, one in ipairs(size == "imix" and MIX or { size }) do
    bytes = bytes + one + 20
  end
  return 8 * bytes / (size == "imix" and #MIX or 1)
end

-- Both ports, once.
function profiles.prepare(settings)
  local both = settings.client_port .. "," .. settings.server_port
  pktgen.stop(both)
  pktgen.set(both, "count", 0)
  pktgen.set_proto(both, "udp")
  pktgen.set_mac(settings.client_port, "dst", settings.device_mac)
  pktgen.set_ipaddr(settings.server_port, "src", settings.member .. "/" .. settings.member_prefix_length)
  pktgen.process(settings.server_port, "on")  -- answers ARP for the member
end

-- Returns how many flows there will be.
function profiles.set(settings, size, flows)
  if size == "imix" then return set_mix(settings) end
  return set_fixed(settings, size, flows)
end

return profiles
