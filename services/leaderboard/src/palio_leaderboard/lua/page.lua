-- One page of a board in its total order, all of it from one moment.
-- KEYS[1] ordering of the board (zset)  KEYS[2] players (hash, not read)  KEYS[3] meta (hash)
-- ARGV    limit, epoch known, version known [, zset score, member of the row before the page]
-- Answers nil while the board is not ready, {epoch, version} if that is the known one, else
-- {epoch, version, total, index of the first row, rows better than it, {member, score, ...}}.
local meta = redis.call('HMGET', KEYS[3], 'epoch', 'version', 'state')
if meta[3] ~= 'ready' then return false end
if meta[1] == ARGV[2] and meta[2] == ARGV[3] then return {meta[1], meta[2]} end

-- Bytes, not `<`: Lua compares strings by locale.
local function is_before(one, other)
  for at = 1, #one do
    local left, right = one:byte(at), other:byte(at)
    if left ~= right then return left < right end
  end
  return false
end

-- The first index behind a row that may have left since: equal scores are ordered by member, so halve among them.
local function index_behind(score, member)
  local rank = redis.call('ZRANK', KEYS[1], member)
  if rank and tonumber(redis.call('ZSCORE', KEYS[1], member)) == tonumber(score) then return rank + 1 end
  local low = redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. score)
  local high = low + redis.call('ZCOUNT', KEYS[1], score, score)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if is_before(member, redis.call('ZRANGE', KEYS[1], middle, middle)[1]) then high = middle else low = middle + 1 end
  end
  return low
end

local first = ARGV[4] and index_behind(ARGV[4], ARGV[5]) or 0
local rows = redis.call('ZRANGE', KEYS[1], first, first + ARGV[1] - 1, 'WITHSCORES')
local better = rows[2] and redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. rows[2]) or 0
return {meta[1], meta[2], redis.call('ZCARD', KEYS[1]), first, better, rows}
