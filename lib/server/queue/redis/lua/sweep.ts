import { MOST_SWEPT } from '../../queue-database.js'

/**
 * Ends what is too late, forgets what has been kept for long enough, decides on jobs whose workers were looked for, and says how
 * many jobs of each model wait.
 */
export const sweep = `
-- Records end by themselves while nobody sweeps, and take with them how much they counted.
local function countInputs()
  local total, of = 0, {}
  for _, id in ipairs(call('ZRANGE', P .. 'deadlines', 0, -1)) do
    local facts = call('HMGET', record(id), 'owner', 'inputBytes')
    local bytes = tonumber(facts[2] or '0')
    if bytes > 0 then
      total = total + bytes
      of[facts[1]] = (of[facts[1]] or 0) + bytes
    end
  end
  call('SET', P .. 'inputBytes', total)
  call('DEL', P .. 'inputBytesOf')
  for owner, bytes in pairs(of) do call('HSET', P .. 'inputBytesOf', owner, bytes) end
end

local maxKept, maxBytes = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = now()
call('HSET', P .. 'up', 'since', upSince(time), 'seen', time)
call('PEXPIRE', P .. 'up', 86400000)
for _, id in ipairs(call('ZRANGE', P .. 'held', 0, ${MOST_SWEPT - 1})) do
  local facts = call('HMGET', record(id), 'state', 'model', 'owner')
  local verdict = facts[1] == 'queued' and judge(id) or 'over'
  if verdict ~= 'hold' then call('ZREM', P .. 'held', id) end
  if verdict == 'run' then pushFirst(id, facts[2], facts[3]) end
end
local vanished = false
for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'deadlines', '-inf', time, 'LIMIT', 0, ${MOST_SWEPT})) do
  local late = call('HGET', record(id), 'late')
  vanished = vanished or not late
  if not late or finish(id, 'failed', late, '', 0, '0') == 0 then
    call('ZREM', P .. 'deadlines', id)
    call('HDEL', P .. 'running', id)
  end
end
if vanished then countInputs() end
for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'expires', '-inf', time, 'LIMIT', 0, ${MOST_SWEPT})) do forget(id) end
for _ = 1, maxKept >= 0 and ${MOST_SWEPT} or 0 do
  local oldest = call('ZRANGE', P .. 'shelf', 0, 0)[1]
  local bytes = tonumber(call('GET', P .. 'keptBytes') or '0')
  if not oldest or (call('ZCARD', P .. 'shelf') <= maxKept and bytes <= maxBytes) then break end
  forget(oldest)
end
return call('HGETALL', P .. 'waiting')
`

/** Who waits for a model: each owner with its pass, then its jobs with what they cost. */
export const lanes = `
local model, most = ARGV[1], tonumber(ARGV[2])
local all = {}
local passes = call('ZRANGE', P .. 'pass:' .. model, 0, -1, 'WITHSCORES')
for at = 1, #passes, 2 do
  local jobs = {}
  for _, id in ipairs(call('LRANGE', lane(model, passes[at]), 0, most - 1)) do
    jobs[#jobs + 1] = id
    jobs[#jobs + 1] = call('HGET', record(id), 'cost') or '1'
  end
  all[#all + 1] = {passes[at], passes[at + 1], jobs}
end
return all
`
