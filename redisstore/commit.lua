-- Applies one change to a bucket: all of it or nothing. All keys are in one slot.
--
-- KEYS
--   1  meta      string
--   2  record    hash: r revision, g generation, o op entries, c created, t deadline, x members,
--                b body; a tombstone has no c, x, b
--   3  index     sorted set of members, all scores 0
--   4  events    stream: t tenant, p id of the tenant's previous event, e event
--   5  tails     hash: tenant -> id of its last event; "\0first" and "\0last" -> ids of the first
--                and last event of the bucket
--   6  outcome   string: until, data; left out if the change has no idempotency key
--
-- ARGV, all strings; a time is 20 digits that sort by time
--    1  the expected value of meta
--    2  op entry: op token (16 bytes) and the revision that this change leads to (8 bytes)
--    3  how many bytes of op entries a record keeps
--    4  revision that must be stored, "0" for nothing
--    5  now
--    6  "1" if the caller waits for replicas: an answer from what is stored is then rewritten, so
--       that WAIT covers it
--    7  "record", "tombstone" or "none"
--    8  revision        of the record or tombstone
--    9  generation      of the record or tombstone
--   10  deadline        of the record or tombstone, "" for none
--   11  created         of the record
--   12  members         of the record, each behind its length in two bytes
--   13  body            of the record
--   14  id              of the record
--   15  milliseconds until the tombstone expires, "" for never
--   16  outcome: until (20 digits), data
--   17  milliseconds until the outcome expires
--   18  tenant
--   19  how many events to keep, approximately
--   20  "1" if an earlier try may have been applied, because its answer was lost
--   21  and following: events
--
-- Replies
--   {"applied"}               done
--   {"replayed", revision}    this change was applied before; the revision in 8 bytes
--   {"outcome", value}        the idempotency key was used before
--   {"conflict", revision}    another revision is stored
--   {"exists", id}            this record holds one of the claims
--   {"unknown"}               an earlier try may have been applied, and the record has forgotten it
--   {"foreign"}               meta is missing or different: the bucket may have been lost
--   {"broken"}                the record or the index is damaged
--
-- The script reads and checks everything before the first write, also the types of the keys: what a
-- script has written stays when it fails. It touches no other keys. Revisions and times are
-- compared as text, because numbers in Lua are not exact.

local meta, record, index = KEYS[1], KEYS[2], KEYS[3]
local events, tails, outcome = KEYS[4], KEYS[5], KEYS[6]
local entry, remembered, expected = ARGV[2], tonumber(ARGV[3]), ARGV[4]
local now, confirm, kind = ARGV[5], ARGV[6], ARGV[7]
local id, tenant, keep, uncertain, first_event = ARGV[14], ARGV[18], ARGV[19], ARGV[20], 21

-- unpack_members returns nil for anything but a list of members.
local function unpack_members(packed)
  local list, at = {}, 1
  while at < #packed do
    local length = string.byte(packed, at) * 256 + string.byte(packed, at + 1)
    list[#list + 1] = string.sub(packed, at + 2, at + 1 + length)
    at = at + 2 + length
  end
  if at == #packed + 1 then
    return list
  end
end

-- A server that became a replica while a client still uses it has old data, and runs scripts that
-- only read. It rejects writes, even one that changes nothing: no index has the empty member.
local function answer(reply)
  redis.call('ZREM', index, '')
  return reply
end

if redis.call('GET', meta) ~= ARGV[1] then
  return {'foreign'}
end

local stored = redis.call('HMGET', record, 'r', 'o', 'c', 'x')
local revision, entries, live, old = stored[1] or '0', stored[2] or '', stored[3], stored[4] or ''
if stored[1] then
  if not string.find(revision, '^[1-9]%d*$') or #entries == 0 or #entries % #entry ~= 0
    or not live ~= not stored[4] then
    return {'broken'}
  end
elseif redis.call('EXISTS', record) == 1 then
  return {'broken'}
end

-- 1. This very change was applied before.
local op = string.sub(entry, 1, 16)
for at = 1, #entries, #entry do
  if string.sub(entries, at, at + 15) == op then
    if confirm == '1' then
      redis.call('HSET', record, 'o', entries)
    end
    return answer({'replayed', string.sub(entries, at + 16, at + #entry - 1)})
  end
end

-- 2. The idempotency key was used before.
if outcome then
  local used = redis.call('GET', outcome)
  if used and string.sub(used, 1, 20) > now then
    if confirm == '1' then
      redis.call('SET', outcome, used, 'KEEPTTL')
    end
    return answer({'outcome', used})
  end
end

-- 3. Another revision is stored.
if revision ~= expected or (kind == 'none' and revision == '0') then
  return answer({'conflict', revision})
end

-- A change with a record or tombstone leads to a new revision, which the check above finds. A
-- change without one does not, and the record may have forgotten it: if all entries that it
-- remembers may be newer, because they led to this same revision.
if uncertain == '1' and kind == 'none' and #entries >= remembered
  and string.sub(entries, 17, #entry) == string.sub(entry, 17) then
  return {'unknown'}
end

-- 4. Another record has a claim: there is a member that differs only in the id. No other record has
-- the claims that this one had before.
local new = ''
if kind == 'record' then
  new = ARGV[12]
end
local wanted, had = {}, {}
if new ~= old then
  redis.call('ZCARD', index)
  wanted, had = unpack_members(new), unpack_members(old)
  if not had then
    return {'broken'}
  end
end
for _, member in ipairs(wanted) do
  if string.sub(member, 1, 1) == 'c' then
    local claim = string.sub(member, 1, #member - #id)
    local to = string.sub(claim, 1, -2) .. '\1'
    local holders = redis.call('ZRANGE', index, '[' .. claim, '(' .. to, 'BYLEX', 'LIMIT', '0', '2')
    for _, holder in ipairs(holders) do
      if string.sub(holder, 1, #claim) ~= claim then
        return {'broken'} -- a score has moved it
      end
      if holder ~= member then
        return answer({'exists', string.sub(holder, #claim + 1)})
      end
    end
  end
end

local last, first = false, true
if ARGV[first_event] then
  last = redis.call('HGET', tails, tenant)
  first = last or redis.call('HGET', tails, '\0first')
  redis.call('XLEN', events)
end

-- Every check has passed. The events come first, because XADD fails after the last possible id.

if ARGV[first_event] then
  for n = first_event, #ARGV do
    last = redis.call('XADD', events, 'MAXLEN', '~', keep, '*',
      't', tenant, 'p', last or '', 'e', ARGV[n])
    if not first then
      first = last
      redis.call('HSET', tails, '\0first', first)
    end
  end
  redis.call('HSET', tails, tenant, last, '\0last', last)
end

entries = string.sub(entries .. entry, -remembered)
if kind == 'none' then
  redis.call('HSET', record, 'o', entries)
else
  if revision ~= '0' and not (live and kind == 'record') then
    redis.call('DEL', record) -- removes the fields of a record, and the expiry of a tombstone
  end
  if kind == 'record' then
    redis.call('HSET', record, 'r', ARGV[8], 'g', ARGV[9], 'o', entries, 't', ARGV[10],
      'c', ARGV[11], 'x', new, 'b', ARGV[13])
  else
    redis.call('HSET', record, 'r', ARGV[8], 'g', ARGV[9], 'o', entries, 't', ARGV[10])
    if ARGV[15] ~= '' then
      redis.call('PEXPIRE', record, ARGV[15])
    end
  end
  if new ~= old then
    local stays, was = {}, {}
    for _, member in ipairs(wanted) do
      stays[member] = true
    end
    for _, member in ipairs(had) do
      was[member] = true
      if not stays[member] then
        redis.call('ZREM', index, member)
      end
    end
    for _, member in ipairs(wanted) do
      if not was[member] then
        redis.call('ZADD', index, '0', member)
      end
    end
  end
end

if outcome then
  redis.call('SET', outcome, ARGV[16], 'PX', ARGV[17])
end

return {'applied'}
