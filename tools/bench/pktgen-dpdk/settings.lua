-- SPDX-License-Identifier: Apache-2.0
--
-- What tandem.lua measures, and where. Copy it, change the copy, and name it in TANDEM_SETTINGS.
return {
  -- Pktgen's ports: requests leave by the first and come back, translated, on the second.
  client_port = "0",
  server_port = "1",
  link_mbps = 10000,

  -- The device's MAC on the clients' side; pktgen asks nobody for it.
  device_mac = "02:00:00:00:00:01",
  -- The client port's own, as Pktgen shows it.
  client_mac = "02:00:00:00:00:02",
  virtual_address = "198.18.255.1",
  virtual_port = 7,

  -- Consecutive addresses from this one on. The device needs a route to them: they are no neighbours.
  first_client = "198.18.0.1",
  -- The pool's one member, which pktgen answers ARP for.
  member = "198.19.0.1",
  member_prefix_length = 16,

  frame_sizes = { 64, 128, 512, 1518, "imix" },
  flows = { 1, 1000, 100000, 1000000 },

  -- The search of RFC 2544 section 26.1. Rates are per cent of the link's.
  trial_s = 10,
  confirmation_s = 60,
  settle_s = 2,       -- for what is still under way when sending has stopped (RFC 2544 section 23)
  resolution = 0.5,   -- the search ends when a rate that lost is so near one that did not
  back_off = 0.95,    -- of a rate whose confirmation lost, for the next one
  lowest = 0.01,

  result = "tandem-pktgen-dpdk.csv",
}
