-- Writes the meta key of a bucket that has neither one nor data, or makes a forming one final. All
-- keys are in one slot.
--
-- KEYS
--   1  meta
--   2  index
--   3  events
--   4  tails
--
-- ARGV
--   1  the wanted value of meta; if it is final, it only replaces the same value that is forming
--   2  the end of a forming value
--
-- Reply: {the value of meta now, "" if it is missing; "1" if the bucket has data, "" if not}

local data = ''
if redis.call('EXISTS', KEYS[2]) + redis.call('EXISTS', KEYS[3])
  + redis.call('EXISTS', KEYS[4]) > 0 then
  data = '1'
end

local meta, wanted, forming = redis.call('GET', KEYS[1]), ARGV[1], ARGV[2]
local new = not meta and data == '' and string.sub(wanted, -#forming) == forming
if new or meta == wanted .. forming then
  redis.call('SET', KEYS[1], wanted)
  meta = wanted
end
return {meta or '', data}
