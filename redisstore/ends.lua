-- Compares one outcome with the index member of its end and repairs the index. All keys are in one
-- slot.
--
-- KEYS
--   1  index
--   2  fields
--
-- ARGV
--   1  the meta member that the index must have
--   2  "1" to repair, "" to report only
--   3  field of the outcome
--   4  an index member to check, "" to check the one that the outcome should have
--
-- Replies
--   {"found", kind, member, ...}  the problem, if there is one: see ProblemKind
--   {"foreign"}                   the index lacks the meta member

local index, fields = KEYS[1], KEYS[2]
local repair, field, given = ARGV[2] == '1', ARGV[3], ARGV[4]
local meta = redis.call('ZSCORE', index, ARGV[1])
local value = redis.call('HGET', fields, field)
if not meta then
  return {'foreign'}
end

local expected
if value then
  local until_when = string.sub(value, 1, 20)
  if #until_when < 20 or string.find(until_when, '%D') then
    return {'found'} -- the end of a damaged outcome is unknown
  end
  expected = 'o' .. until_when .. field
end
local kind, member = nil, given
if given == '' then
  member = expected
end
local score = member and redis.call('ZSCORE', index, member)
if not score then
  if member and member == expected and given == '' then
    kind = 'missing-member'
  end
elseif member ~= expected then
  kind = 'stale-member'
elseif tonumber(score) ~= 0 then
  kind = 'misplaced-member'
end
if not kind then
  return {'found'}
end
if repair and kind == 'stale-member' then
  redis.call('ZREM', index, member)
elseif repair then
  redis.call('ZADD', index, '0', member)
end
return {'found', kind, member}
