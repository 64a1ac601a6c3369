-- Checks that a live record is not set to expire, and repairs this. All keys are in one slot.
--
-- KEYS
--   1  record
--   2  index
--
-- ARGV
--   1  the meta member that the index must have
--   2  "1" to repair, "" to report only
--
-- Replies
--   {"found", kind, ""}  the problem, if there is one: see ProblemKind. An empty string that does
--                        not expire is no placeholder, so it is a damaged record
--   {"foreign"}          the index lacks the meta member

local record, index = KEYS[1], KEYS[2]
local meta = redis.call('ZSCORE', index, ARGV[1])
local stored = redis.pcall('GET', record)
local left = redis.call('PTTL', record)
if not meta then
  return {'foreign'}
end
if stored == '' and left == -1 then
  return {'found', 'damaged-record', ''}
end
if type(stored) ~= 'string' or string.sub(stored, 1, 1) ~= 'r' or left < 0 then
  return {'found'}
end
if ARGV[2] == '1' then
  redis.call('PERSIST', record)
end
return {'found', 'expiring-key', ''}
