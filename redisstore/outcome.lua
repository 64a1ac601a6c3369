-- Stores an outcome as it is, unless one with the same field is kept as long or longer. All keys
-- are in one slot.
--
-- KEYS
--   1  index
--   2  fields
--   3  events
--
-- ARGV
--   1  the meta member that the index must have
--   2  field of the outcome
--   3  outcome: its end in 20 digits, data
--   4  "1" if an earlier try may have been applied, because its answer was lost
--   5  ID of an event that the log must have, or ""
--
-- Replies
--   {"written"}          done
--   {"kept"}             the stored outcome is kept as long or longer
--   {"foreign"}          the index lacks the meta member
--   {"missing"}          the log lacks the event
--   {"broken"}           the stored outcome is damaged
--   {"denied", command}  the user lacks the right to this command

local index, fields, events = KEYS[1], KEYS[2], KEYS[3]
local field, value, seen = ARGV[2], ARGV[3], ARGV[5]
local meta = redis.call('ZSCORE', index, ARGV[1])
local kept = redis.call('HMGET', fields, field, '')
local used = kept[1]
redis.call('XLEN', events)
local missing = seen ~= '' and not redis.call('XRANGE', events, seen, seen, 'COUNT', '1')[1]
if not meta or not kept[2] then
  return {'foreign'}
end
if missing then
  return {'missing'}
end

-- A server that became a replica has old data, and runs scripts that only read. So the script also
-- writes when it answers from stored data.
local function answer(reply)
  redis.call('ZREM', index, '')
  return reply
end

local function end_of(outcome)
  return string.sub(outcome, 1, 20)
end
if used and not (#used >= 20 and string.find(end_of(used), '^%d+$')) then
  return {'broken'}
end
if used == value and ARGV[4] == '1' then
  return answer({'written'})
end
if used and end_of(used) >= end_of(value) then
  return answer({'kept'})
end

local may = redis.acl_check_cmd -- miniredis and servers before version 7 lack it
if may and not may('HSET', fields, '', '') then
  return {'denied', 'HSET'}
end
redis.call('ZADD', index, '0', 'o' .. end_of(value) .. field)
redis.call('HSET', fields, field, value)
if used then
  redis.call('ZREM', index, 'o' .. end_of(used) .. field)
end
return {'written'}
