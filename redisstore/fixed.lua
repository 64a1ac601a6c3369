-- Checks that the fixed keys of a bucket exist and do not expire, and repairs them. All keys are in
-- one slot.
--
-- KEYS
--   1  index
--   2  events
--   3  fields
--
-- ARGV
--   1  the meta member that the index must have
--   2  "1" to repair, "" to report only
--   3  "1" to restore the following fields only, because more will follow; "" for everything
--   4  and following: fields that a lost hash had, each followed by its value
--
-- Replies
--   {"found", kind, key, ...}  the problems: see ProblemKind
--   {"foreign"}                the index lacks the meta member

local index, events, fields = KEYS[1], KEYS[2], KEYS[3]
local repair = ARGV[2] == '1'
local meta = redis.call('ZSCORE', index, ARGV[1])
local length = redis.pcall('XLEN', events)
local sentinel = redis.pcall('HGET', fields, '')
local left = {}
for n, key in ipairs(KEYS) do
  left[n] = redis.call('PTTL', key)
end
if not meta then
  return {'foreign'}
end

local found, expiring = {'found'}, {}
local function problem(kind, key)
  found[#found + 1] = kind
  found[#found + 1] = key
end

local wrong_events = type(length) == 'table'
local wrong_fields = type(sentinel) == 'table'
local no_events, no_fields = left[2] == -2, not sentinel
local lost = repair and no_fields and not wrong_fields
if lost then
  for n = 4, #ARGV, 2 do
    redis.call('HSET', fields, ARGV[n], ARGV[n + 1])
  end
end
if ARGV[3] == '1' then
  return found
end

if wrong_events then
  problem('damaged-key', events)
elseif no_events then
  problem('missing-key', events)
end
if wrong_fields then
  problem('damaged-key', fields)
elseif no_fields then
  problem('missing-key', fields) -- or its field '', which keeps it alive
end
for n, key in ipairs(KEYS) do
  if left[n] >= 0 then
    problem('expiring-key', key)
    expiring[#expiring + 1] = key
  end
end

if repair then
  for _, key in ipairs(expiring) do
    redis.call('PERSIST', key)
  end
  if no_events and not wrong_events then
    redis.call('XADD', events, 'MAXLEN', '0', '*', '', '') -- leaves an empty stream
  end
  if lost then
    redis.call('HSET', fields, '', '')
  end
end
return found
