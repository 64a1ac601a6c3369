-- Compares one record with its index members and repairs the index. All keys are in one slot.
--
-- KEYS
--   1  record
--   2  index
--
-- ARGV
--   1  the meta member that the index must have
--   2  the first bytes of the record when inspected: kind and revision; "" if there was none
--   3  id of the record
--   4  an index member that the record did not have when inspected, "" to check those that it had
--   5  "1" to repair, "" to report only
--   6  and following: members of the record when inspected; none for a tombstone
--
-- Replies
--   {"looked", missing, stale, taken}   members that the index lacked; 1 if it had the given one;
--                                       claims that it assigns to another record, not repaired
--   {"changed"}                         the record has changed since
--   {"foreign"}                         the index lacks the meta member

local record, index = KEYS[1], KEYS[2]
local seen, id, given, repair = ARGV[2], ARGV[3], ARGV[4], ARGV[5] == '1'
local stored = redis.call('GET', record) or ''
if not redis.call('ZSCORE', index, ARGV[1]) then
  return {'foreign'}
end
if string.sub(stored, 1, 9) ~= seen then
  return {'changed'}
end

local missing, stale, taken = 0, 0, 0
if given ~= '' then
  if redis.call('ZSCORE', index, given) then
    stale = 1
    if repair then
      redis.call('ZREM', index, given)
    end
  end
  return {'looked', '0', string.format('%d', stale), '0'}
end

for n = 6, #ARGV do
  local member, others = ARGV[n], 0
  if string.sub(member, 1, 1) == 'c' then
    local claim = string.sub(member, 1, #member - #id)
    local to = string.sub(claim, 1, -2) .. '\1'
    local holders = redis.call('ZRANGE', index, '[' .. claim, '(' .. to, 'BYLEX', 'LIMIT', '0', '2')
    for _, holder in ipairs(holders) do
      if holder ~= member and string.sub(holder, 1, #claim) == claim then
        others = 1
      end
    end
  end
  local score = redis.call('ZSCORE', index, member)
  if others > 0 then
    taken = taken + 1
  elseif not score or tonumber(score) ~= 0 then
    missing = missing + 1
    if repair then
      redis.call('ZADD', index, '0', member)
    end
  end
end
return {'looked', string.format('%d', missing), '0', string.format('%d', taken)}
