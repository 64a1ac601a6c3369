-- Compares one record with its index members and repairs the index. All keys are in one slot.
--
-- KEYS
--   1  record
--   2  index
--
-- ARGV
--   1  the meta member that the index must have
--   2  "1" to repair, "" to report only
--   3  the record when inspected, up to the end of its op entries; "" = no record
--   4  id of the record
--   5  an index member to check, "" to check those that the record had when inspected
--   6  "1" if the record had the given member or was damaged, "" if not
--   7  and following: members of the record when inspected; none for a tombstone
--
-- Replies
--   {"found", kind, member, ...}  the problems: see ProblemKind. A claim with another holder is not
--                                 repaired
--   {"changed"}                   the record has changed since it was inspected
--   {"foreign"}                   the index lacks the meta member

local record, index = KEYS[1], KEYS[2]
local repair, seen, id, given, has = ARGV[2] == '1', ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local meta = redis.call('ZSCORE', index, ARGV[1])
local stored = redis.pcall('GET', record)
if type(stored) ~= 'string' then
  stored = '' -- no record, or a key of another type, which Verify inspects as no record
end
if not meta then
  return {'foreign'}
end
if string.sub(stored, 1, #seen) ~= seen or (seen == '' and stored ~= '') then
  return {'changed'}
end

local found, add, remove = {'found'}, {}, {}
local function problem(kind, member)
  found[#found + 1] = kind
  found[#found + 1] = member
end

if given ~= '' then
  local score = redis.call('ZSCORE', index, given)
  if score and has == '' then
    problem('stale-member', given)
    remove[1] = given
  elseif score and tonumber(score) ~= 0 then
    problem('misplaced-member', given)
    add[1] = given
  end
end

for n = 7, #ARGV do
  local member, others = ARGV[n], false
  if string.sub(member, 1, 1) == 'c' then
    local claim = string.sub(member, 1, #member - #id)
    local to = string.sub(claim, 1, -2) .. '\1'
    local holders = redis.call('ZRANGE', index, '[' .. claim, '(' .. to, 'BYLEX', 'LIMIT', '0', '2')
    for _, holder in ipairs(holders) do
      if holder ~= member and string.sub(holder, 1, #claim) == claim then
        others = true
      end
    end
  end
  if others then
    problem('claim-conflict', member)
  elseif not redis.call('ZSCORE', index, member) then
    problem('missing-member', member)
    add[#add + 1] = member
  end
end

if repair then
  for _, member in ipairs(add) do
    redis.call('ZADD', index, '0', member)
  end
  for _, member in ipairs(remove) do
    redis.call('ZREM', index, member)
  end
end
return found
