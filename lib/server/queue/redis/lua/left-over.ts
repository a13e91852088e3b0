/** Jobs that have left files elsewhere, and since when; others get them again after some time, unless they are `cleared`. */
export const leftOver = `
local most, againMs = ARGV[1], tonumber(ARGV[2])
local due = text(now() + againMs)
local found = {}
for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'leftOver', '-inf', now(), 'LIMIT', 0, most)) do
  call('ZADD', P .. 'leftOver', due, id)
  found[#found + 1] = id
  found[#found + 1] = due
end
return found
`

/** Nothing is left of a job, unless it has left more since. */
export const cleared = `
local id, due = ARGV[1], tonumber(ARGV[2])
if tonumber(call('ZSCORE', P .. 'leftOver', id) or '-1') == due then call('ZREM', P .. 'leftOver', id) end
return 1
`
