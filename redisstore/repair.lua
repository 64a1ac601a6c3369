-- Compares one record with what the index says of it, and puts the index right. All keys are in one slot.
--
-- KEYS
--   1  meta
--   2  record
--   3  index
--
-- ARGV
--   1  what meta must hold
--   2  id of the record
--   3  a member of the index that names the record and is looked at alone, "" for those that the record should have
--   4  "1" to put right what is wrong, "" to look only
--
-- Replies
--   {"looked", missing, stale, taken}   members that the index lacked; 1 if the given member does not follow from the record;
--                                       claims of the record that the index gives to another one, which are left alone
--   {"foreign"}                         meta is missing or different

local meta, record, index = KEYS[1], KEYS[2], KEYS[3]
local id, given, repair = ARGV[2], ARGV[3], ARGV[4] == '1'

if redis.call('GET', meta) ~= ARGV[1] then
  return {'foreign'}
end

local packed, at = redis.call('HGET', record, 'x') or '', 1
local missing, stale, taken = 0, 0, 0
if given ~= '' and redis.call('ZSCORE', index, given) then
  stale = 1
end

while at < #packed do
  local length = string.byte(packed, at) * 256 + string.byte(packed, at + 1)
  local member = string.sub(packed, at + 2, at + 1 + length)
  at = at + 2 + length
  if member == given then
    stale = 0
  end
  local score = redis.call('ZSCORE', index, member)
  if not score or tonumber(score) ~= 0 then
    local holders = {}
    if string.sub(member, 1, 1) == 'c' then
      local claim = string.sub(member, 1, #member - #id)
      holders = redis.call('ZRANGE', index, '[' .. claim, '(' .. string.sub(claim, 1, -2) .. '\1', 'BYLEX', 'LIMIT', '0', '1')
      if holders[1] == member then
        holders = {}
      end
    end
    if #holders > 0 then
      taken = taken + 1
    else
      missing = missing + 1
      if repair and given == '' then
        redis.call('ZADD', index, '0', member)
      end
    end
  end
end

if stale == 1 and repair then
  redis.call('ZREM', index, given)
end
return {'looked', string.format('%d', missing), string.format('%d', stale), string.format('%d', taken)}
