/**
 * What the holder of a ticket is to do. A ticket that was held before stands for the same job again: its worker has left it. Any
 * other stands for the job whose turn it is.
 */
export const claim = `
local model, ticket, worker, room, idle, stalled = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6]
local fits = function(id) return idle == '1' or tonumber(call('HGET', record(id), 'images')) <= room end

local id = call('HGET', P .. 'tickets', ticket)
if id then
  local state = call('HGET', record(id), 'state')
  if state ~= 'queued' and state ~= 'running' then
    call('HDEL', P .. 'tickets', ticket)
    return {'nothing'}
  end
  if not fits(id) then return {'wait'} end
-- Its worker ended before it had a job: the next job is not to answer for that. Whoever sweeps issues another ticket.
elseif stalled == '1' then return {'nothing'}
else
  while true do
    local owner = call('ZRANGE', P .. 'pass:' .. model, 0, 0)[1]
    if not owner then return {'nothing'} end
    id = call('LINDEX', lane(model, owner), 0)
    local facts = id and call('HMGET', record(id), 'state', 'deadline', 'cost', 'late')
    if not id then call('ZREM', P .. 'pass:' .. model, owner)
    elseif facts[1] ~= 'queued' then pull(id, model, owner)
    elseif tonumber(facts[2]) <= now() then finish(id, 'failed', facts[4], '', 0, '0')
    else
      if not fits(id) then return {'wait'} end
      local pass = tonumber(call('ZSCORE', P .. 'pass:' .. model, owner))
      pull(id, model, owner)
      call('SET', P .. 'clock:' .. model, text(pass))
      local after = text(pass + tonumber(facts[3]))
      if call('ZSCORE', P .. 'pass:' .. model, owner) then call('ZADD', P .. 'pass:' .. model, after, owner)
      else call('ZADD', P .. 'idle:' .. model, after, owner) end
      call('ZREMRANGEBYSCORE', P .. 'idle:' .. model, '-inf', text(pass))
      call('HSET', P .. 'tickets', ticket, id)
      break
    end
  end
end
local run = call('HINCRBY', record(id), 'run', 1)
call('HSET', record(id), 'state', 'running', 'ranBy', worker, 'heard', now())
call('HSETNX', record(id), 'startedAt', now())
call('HSET', P .. 'running', id, call('HGET', record(id), 'images'))
tell(id, 'view', '')
return {'run', id, tostring(run), call('HGETALL', record(id))}
`
