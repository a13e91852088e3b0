import { SPARE_MS } from '../../queue-database.js'

/** Takes a job on, or says that it is known, or why it is refused. */
export const accept = `
local id, view, work, model, owner = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local priority, cost, images, keep, timeoutMs, keptMs = tonumber(ARGV[6]), ARGV[7], ARGV[8], ARGV[9], tonumber(ARGV[10]), ARGV[11]
local bytes, fingerprint, late = tonumber(ARGV[12]), ARGV[13], ARGV[14]
local maxQueued, maxPerKey, maxBytes, maxBytesPerKey = tonumber(ARGV[15]), tonumber(ARGV[16]), tonumber(ARGV[17]), tonumber(ARGV[18])
local elsewhere, hookHost = ARGV[19], ARGV[20]

local known = call('HMGET', record(id), 'state', 'fingerprint', 'again', 'expiresAt')
if known[1] then
  if known[3] == '1' then forget(id, true)
  elseif known[2] ~= fingerprint then return 'conflict'
  else return 'known' end
end
if call('ZCARD', P .. 'queued') >= maxQueued then return 'maxQueued' end
if tonumber(call('HGET', P .. 'queuedOf', owner) or '0') >= maxPerKey then return 'maxQueuedPerKey' end
if tonumber(call('GET', P .. 'inputBytes') or '0') + bytes > maxBytes then return 'maxHeldBytes' end
if tonumber(call('HGET', P .. 'inputBytesOf', owner) or '0') + bytes > maxBytesPerKey then
  return 'maxHeldBytesPerKey'
end
local time = now()
call('HSET', record(id), 'view', view, 'work', work, 'model', model, 'owner', owner, 'priority', priority, 'cost', cost,
  'images', images, 'keep', keep, 'timeoutMs', timeoutMs, 'keptMs', keptMs, 'inputBytes', bytes, 'fingerprint', fingerprint,
  'late', late, 'hookHost', hookHost, 'state', 'queued', 'createdAt', time, 'deadline', time + timeoutMs, 'seq', 0, 'run', 0,
  'elsewhere', elsewhere)
call('PEXPIRE', record(id), timeoutMs + tonumber(keptMs) + ${SPARE_MS})
if bytes > 0 then
  call('INCRBY', P .. 'inputBytes', bytes)
  call('HINCRBY', P .. 'inputBytesOf', owner, bytes)
end
call('ZADD', P .. 'deadlines', time + timeoutMs, id)
if keep == '1' then
  local order = call('INCR', P .. 'order')
  call('ZADD', P .. 'all', order, id)
  call('ZADD', P .. 'owned:' .. owner, order, id)
end
push(id, model, owner, priority)
return 'accepted'
`
