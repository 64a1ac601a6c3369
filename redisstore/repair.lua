-- Compares one record with its index members and repairs the index. All keys are in one slot.
--
-- KEYS
--   1  meta
--   2  record
--   3  index
--
-- ARGV
--   1  the expected value of meta
--   2  id of the record
--   3  an index member that the record did not have when inspected, "" to check those that it had
--   4  "1" to repair, "" to report only
--   5  members of the record when inspected, each after its length in two bytes; "" for a tombstone
--      or if there was no record
--
-- Replies
--   {"looked", missing, stale, taken}   members that the index lacked; 1 if it had the given one;
--                                       claims that it assigns to another record, not repaired
--   {"changed"}                         the record has changed since
--   {"foreign"}                         meta is missing or different

local meta, record, index = KEYS[1], KEYS[2], KEYS[3]
local id, given, repair, packed = ARGV[2], ARGV[3], ARGV[4] == '1', ARGV[5]

if redis.call('GET', meta) ~= ARGV[1] then
  return {'foreign'}
end
if (redis.call('HGET', record, 'x') or '') ~= packed then
  return {'changed'}
end

local at, missing, stale, taken = 1, 0, 0, 0
if given ~= '' then
  at = #packed + 1
  if redis.call('ZSCORE', index, given) then
    stale = 1
    if repair then
      redis.call('ZREM', index, given)
    end
  end
end

while at < #packed do
  local length = string.byte(packed, at) * 256 + string.byte(packed, at + 1)
  local member = string.sub(packed, at + 2, at + 1 + length)
  at = at + 2 + length
  local others = 0
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
local decimal = '%d'
return {'looked', decimal:format(missing), decimal:format(stale), decimal:format(taken)}
