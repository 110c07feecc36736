-- SPDX-License-Identifier: Apache-2.0
--
-- The highest rate without loss, by halving (RFC 2544 section 26.1), confirmed by a longer trial. No call of
-- Pktgen's is here: `run(rate, seconds)` makes a trial and returns { sent =, received =, seconds = }.
local search = {}

function search.is_good(trial)
  return trial.sent > 0 and trial.received >= trial.sent
end

-- Returns the trial that confirmed the rate, with `rate`; or nil when no rate was without loss. The second
-- result is the list of all trials.
function search.highest(run, settings)
  local trials = {}
  local function try(rate, seconds)
    local trial = run(rate, seconds)
    trial.rate = rate
    trials[#trials + 1] = trial
    return search.is_good(trial)
  end

  local low, high, rate = 0, 100, 100
  while high - low > settings.resolution and rate >= settings.lowest do
    if try(rate, settings.trial_s) then
      low = rate
      if rate == 100 then break end
    else
      high = rate
    end
    rate = (low + high) / 2
  end
  rate = low
  while rate >= settings.lowest do
    if try(rate, settings.confirmation_s) then return trials[#trials], trials end
    rate = rate * settings.back_off
  end
  return nil, trials
end

return search
