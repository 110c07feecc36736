-- SPDX-License-Identifier: Apache-2.0
--
-- As much of Pktgen's Lua module as tools/bench/pktgen-dpdk uses, in front of a device that forwards so many
-- frames a second, by frame size, and loses the others. Time is what delay() is asked for. Calls with arguments
-- that Pktgen would refuse are errors, as is every call that is not here.
local mock = {}

local FRAME_OVERHEAD = 20  -- preamble and gap
local FIELDS = { "start", "min", "max", "inc" }

local function check(condition, ...)
  if not condition then error("pktgen would not take this: " .. string.format(...), 3) end
end

local function number_of(address)
  local a, b, c, d = address:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
  check(a, "%s is no address", address)
  return ((a * 256 + b) * 256 + c) * 256 + d
end

local Mock = {}
Mock.__index = Mock

-- `link_mbps` of both ports; `capacity(size)`: frames a second that the device forwards, where `size` is a number
-- or "mix".
function mock.new(link_mbps, capacity)
  local self = setmetatable({
    link_mbps = link_mbps,
    capacity = capacity,
    clock_ms = 0,
    rate = 100,
    is_sending = false,
    is_range = false,
    sequence = {},
    sequence_count = 0,
    range = {},
    counts = { sent = 0, received = 0 },
    trials = {},
  }, Mock)
  self.pktgen = self:module()
  return self
end

function Mock:size()
  if self.is_range then return self.range.pkt_size.start, self.range.pkt_size.start end
  check(self.sequence_count > 0, "nothing to send")
  local sum = 0
  for i = 0, self.sequence_count - 1 do
    sum = sum + self.sequence[i].pktSize
  end
  return "mix", sum / self.sequence_count
end

function Mock:advance(ms)
  self.clock_ms = self.clock_ms + ms
  if not self.is_sending then return end
  local kind, bytes = self:size()
  local line_rate = self.link_mbps * 1e6 / (8 * (bytes + FRAME_OVERHEAD))
  local sent = math.floor(line_rate * self.rate / 100 * ms / 1000)
  self.counts.sent = self.counts.sent + sent
  self.counts.received = self.counts.received + math.min(sent, math.floor(self.capacity(kind) * ms / 1000))
  self.trials[#self.trials + 1] = { rate = self.rate, ms = ms, kind = kind }
end

-- How many pairs of client and port Pktgen goes through before it begins again: every field moves on with every
-- frame, each for itself.
function Mock:flows(at_most)
  local seen, count = {}, 0
  local clients, ports = self.range.src_ip, self.range.src_port
  local client, port = number_of(clients.start), ports.start
  for _ = 1, at_most do
    local key = client << 16 | port
    if not seen[key] then
      seen[key] = true
      count = count + 1
    end
    client = client + number_of(clients.inc)
    if client > number_of(clients.max) then client = number_of(clients.min) end
    port = port + ports.inc
    if port > ports.max then port = ports.min end
  end
  return count
end

function Mock:module()
  local function range_of(name, takes)
    return function(_, what, value)
      self.range[name] = self.range[name] or {}
      local is_known = false
      for _, field in ipairs(FIELDS) do
        is_known = is_known or field == what
      end
      check(is_known, "range.%s has no %s", name, what)
      check(type(value) == takes, "range.%s takes a %s", name, takes)
      self.range[name][what] = value
    end
  end
  local ranges = setmetatable({
    src_ip = range_of("src_ip", "string"), dst_ip = range_of("dst_ip", "string"),
    src_port = range_of("src_port", "number"), dst_port = range_of("dst_port", "number"),
    pkt_size = range_of("pkt_size", "number"), ttl = range_of("ttl", "number"),
    dst_mac = range_of("dst_mac", "string"),
    ip_proto = function(_, protocol) check(protocol == "udp", "this device knows UDP") end,
  }, { __index = function(_, name) error("pktgen.range has no " .. name, 2) end })
  local module = {
    range = ranges,
    set = function(_, what, value)
      check(math.type(value), "set takes a number")
      if what == "rate" then self.rate = value
      elseif what == "seqCnt" then self.sequence_count = value
      else check(what == "count", "set does not support %s", what) end
    end,
    set_range = function(_, onoff) self.is_range = onoff == "on" end,
    set_proto = function() end,
    set_mac = function(_, which) check(which == "dst" or which == "src", "set_mac of %s", which) end,
    set_ipaddr = function(_, which, address)
      check(which == "dst" or address:match("/%d+$"), "a source has a prefix length")
    end,
    process = function() end,
    seqTable = function(index, _, entry) self.sequence[index] = entry end,
    start = function() self.is_sending = true end,
    stop = function() self.is_sending = false end,
    clr = function() self.counts = { sent = 0, received = 0 } end,
    delay = function(ms)
      check(math.type(ms) == "integer", "delay takes whole milliseconds")
      self:advance(ms)
    end,
    portStats = function(port, kind)
      check(kind == "port", "portStats of %s", kind)
      local is_client = port == "0"
      return { [tonumber(port)] = {
        opackets = is_client and self.counts.sent or 0,
        ipackets = is_client and 0 or self.counts.received,
      } }
    end,
  }
  return setmetatable(module, { __index = function(_, name) error("pktgen has no " .. name, 2) end })
end

return mock
