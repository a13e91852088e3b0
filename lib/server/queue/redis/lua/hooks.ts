import { MOST_WAITING } from '../../../webhooks/retry.js'
import { HOOK_MS, MOST_TOLD } from '../../queue-database.js'

/**
 * The end of a job that wants to be told of. It is written with the end itself, with all that its message says, so that it
 * outlives the job's record, and the server that took the job on.
 */
export const hooks = `
local function forgetHook(name, host)
  call('ZREM', P .. 'hooks', name)
  call('ZREM', P .. 'hooksOf:' .. host, name)
  call('DEL', P .. 'hook:' .. name)
end

local function addHook(id, state, time)
  local host = call('HGET', record(id), 'hookHost')
  if not host or host == '' then return end
  -- A job that is sent again can end a second time while the message of the first end is on its way.
  local name = string.format('%s_%s_%.0f', id, state, time)
  if call('ZCARD', P .. 'hooks') >= ${MOST_WAITING} then
    call('LPUSH', P .. 'hooksLost', name .. ' ' .. host)
    call('LTRIM', P .. 'hooksLost', 0, ${MOST_TOLD - 1})
    call('PEXPIRE', P .. 'hooksLost', ${HOOK_MS})
    return
  end
  local hook, all = {'attempts', 0}, call('HGETALL', record(id))
  for at = 1, #all, 2 do
    local field = all[at]
    if field ~= 'result' and field ~= 'late' and field ~= 'fingerprint' then
      hook[#hook + 1] = field
      hook[#hook + 1] = all[at + 1]
    end
  end
  call('DEL', P .. 'hook:' .. name)
  call('HSET', P .. 'hook:' .. name, unpack(hook))
  call('ZADD', P .. 'hooks', time, name)
  call('ZADD', P .. 'hooksOf:' .. host, time, name)
  call('SADD', P .. 'hookHosts', host)
  for _, key in ipairs({'hook:' .. name, 'hooks', 'hooksOf:' .. host, 'hookHosts'}) do
    call('PEXPIRE', P .. key, ${HOOK_MS})
  end
  call('PUBLISH', TOLD .. 'hook', host)
end
`

/**
 * Webhooks that are due, leased to whoever asks: if it is not heard of again, another one has them after the lease. Each host has
 * its own line, and only so many of it are on their way.
 */
export const takeHooks = `
local leaseMs, left, perHost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local held = {}
for at = 4, #ARGV, 2 do held[ARGV[at]] = tonumber(ARGV[at + 1]) end
local time, taken, lost = now(), {}, {}
for _ = 1, ${MOST_TOLD} do
  local one = call('RPOP', P .. 'hooksLost')
  if not one then break end
  lost[#lost + 1] = one
end
local hosts = call('SMEMBERS', P .. 'hookHosts')
for index = 1, #hosts do
  -- Another one begins each time, so that none is always the last.
  local host = hosts[(index + time) % #hosts + 1]
  local room = math.min(left, perHost - (held[host] or 0))
  if call('EXISTS', P .. 'hooksOf:' .. host) == 0 then call('SREM', P .. 'hookHosts', host)
  elseif room > 0 then
    for _, name in ipairs(call('ZRANGEBYSCORE', P .. 'hooksOf:' .. host, '-inf', time, 'LIMIT', 0, room)) do
      local hook = P .. 'hook:' .. name
      if call('EXISTS', hook) == 0 or tonumber(call('HGET', hook, 'endedAt')) + ${HOOK_MS} < time then
        if #lost < ${MOST_TOLD} then lost[#lost + 1] = name .. ' ' .. host end
        forgetHook(name, host)
      else
        call('HINCRBY', hook, 'attempts', 1)
        call('ZADD', P .. 'hooksOf:' .. host, time + leaseMs, name)
        taken[#taken + 1] = {name, call('HGETALL', hook)}
        left = left - 1
      end
    end
  end
end
return {taken, lost}
`

/** How an attempt ended: none is to follow, or one after a pause. An attempt whose lease is over does not bring another one. */
export const endHook = `
local name, host, attempt, pause = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if pause == '' then forgetHook(name, host)
elseif call('HGET', P .. 'hook:' .. name, 'attempts') == attempt then
  call('ZADD', P .. 'hooksOf:' .. host, now() + tonumber(pause), name)
end
`
