-- Marks a bucket as part of a namespace, unless it is marked or holds something without a mark. All keys are in one slot.
--
-- KEYS
--   1  meta
--   2  index
--   3  events
--   4  tails
--
-- ARGV
--   1  what to put into meta
--
-- Reply: {what meta holds now, "" if it is missing still; "1" if the bucket holds data, "" if not}

local data = ''
if redis.call('EXISTS', KEYS[2]) + redis.call('EXISTS', KEYS[3]) + redis.call('EXISTS', KEYS[4]) > 0 then
  data = '1'
end

local meta = redis.call('GET', KEYS[1])
if not meta and data == '' then
  redis.call('SET', KEYS[1], ARGV[1])
  meta = ARGV[1]
end
return {meta or '', data}
