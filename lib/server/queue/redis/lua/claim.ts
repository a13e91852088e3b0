/**
 * What the holder of a ticket is to do. A ticket that stands for a job stands for the same job again: its worker has given it
 * back, or does not hold it any more. Any other stands for the job whose turn it is.
 */
export const claim = `
local model, ticket, worker, room, idle = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local fits = function(id) return idle == '1' or tonumber(call('HGET', record(id), 'images')) <= room end

local id = call('HGET', P .. 'tickets', ticket)
if id then
  local facts = call('HMGET', record(id), 'state', 'ranBy')
  if facts[1] ~= 'queued' and facts[1] ~= 'running' then
    call('HDEL', P .. 'tickets', ticket)
    return {'nothing'}
  end
  -- Whoever takes it again itself is there.
  if facts[1] == 'running' and facts[2] ~= worker then
    takeOver(id, facts[2])
    local verdict = judge(id)
    if verdict ~= 'run' then
      call('HDEL', P .. 'tickets', ticket)
      if verdict == 'hold' then call('ZADD', P .. 'held', now(), id) end
      id = false
    end
  end
  if id and not fits(id) then return {'wait'} end
end
while not id do
  local owner = call('ZRANGE', P .. 'pass:' .. model, 0, 0)[1]
  if not owner then return {'nothing'} end
  local first = call('LINDEX', lane(model, owner), 0)
  local facts = first and call('HMGET', record(first), 'state', 'deadline', 'cost', 'late')
  if not first then call('ZREM', P .. 'pass:' .. model, owner)
  elseif facts[1] ~= 'queued' then pull(first, model, owner)
  elseif tonumber(facts[2]) <= now() then finish(first, 'failed', facts[4], '', 0, '0')
  else
    if not fits(first) then return {'wait'} end
    local pass = tonumber(call('ZSCORE', P .. 'pass:' .. model, owner))
    pull(first, model, owner)
    call('SET', P .. 'clock:' .. model, text(pass))
    local after = text(pass + tonumber(facts[3]))
    if call('ZSCORE', P .. 'pass:' .. model, owner) then call('ZADD', P .. 'pass:' .. model, after, owner)
    else call('ZADD', P .. 'idle:' .. model, after, owner) end
    call('ZREMRANGEBYSCORE', P .. 'idle:' .. model, '-inf', text(pass))
    call('HSET', P .. 'tickets', ticket, first)
    id = first
  end
end
-- No number comes twice: a job that is accepted anew has the id of one whose worker may still be at it.
local before, run = call('HGET', record(id), 'run'), call('INCR', P .. 'runs')
call('PEXPIRE', P .. 'runs', ${30 * 24 * 3600 * 1000})
-- A worker that lost its ticket may still be at it.
if before ~= '0' then call('PUBLISH', TOLD .. 'stop', id .. ' ' .. before) end
call('HSET', record(id), 'run', run, 'state', 'running', 'ranBy', worker)
call('HSETNX', record(id), 'startedAt', now())
call('HSET', P .. 'running', id, call('HGET', record(id), 'images'))
tell(id, 'view', '')
return {'run', tostring(run), call('HGETALL', record(id))}
`
