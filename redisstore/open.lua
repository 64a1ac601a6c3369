-- Marks a bucket as part of a namespace, unless it is marked or holds something without a mark; or makes a mark final that
-- is still forming. All keys are in one slot.
--
-- KEYS
--   1  meta
--   2  index
--   3  events
--   4  tails
--
-- ARGV
--   1  what to put into meta; if it does not end in the second one, then only in the place of the same with that end
--   2  what a mark ends in that is forming
--
-- Reply: {what meta holds now, "" if it is missing still; "1" if the bucket holds data, "" if not}

local data = ''
if redis.call('EXISTS', KEYS[2]) + redis.call('EXISTS', KEYS[3]) + redis.call('EXISTS', KEYS[4]) > 0 then
  data = '1'
end

local meta, wanted, forming = redis.call('GET', KEYS[1]), ARGV[1], ARGV[2]
local new = not meta and data == '' and string.sub(wanted, -#forming) == forming
if new or meta == wanted .. forming then
  redis.call('SET', KEYS[1], wanted)
  meta = wanted
end
return {meta or '', data}
