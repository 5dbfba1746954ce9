-- Where some players of a board are, all at one moment.
-- KEYS[1] ordering of the board (zset)  KEYS[2] players (hash)  KEYS[3] meta (hash)
-- ARGV    1 if ties share a rank else 0, user ids (16 bytes each, in one string)
-- Answers nil while the board is not ready, else {epoch, version, total, places}: 32 bytes for each player, big-endian
-- index (8, -1 if he has no standing), score in the zset (double), reached_at (8), rows with a better score (8).
local meta = redis.call('HMGET', KEYS[3], 'epoch', 'version', 'state')
if meta[3] ~= 'ready' then return false end
local shares = ARGV[1] == '1'
local users = {}
for at = 1, #ARGV[2], 16 do users[#users + 1] = ARGV[2]:sub(at, at + 15) end
local states = redis.call('HMGET', KEYS[2], unpack(users))
local places = {}
for asked, user in ipairs(users) do
  local place = nil
  if states[asked] then
    local reached_at = states[asked]:sub(1, 8)
    local member = reached_at .. user
    local index = redis.call('ZRANK', KEYS[1], member)
    if index then
      local score = redis.call('ZSCORE', KEYS[1], member)
      local better = shares and redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. score) or 0
      place = struct.pack('>i8dc8i8', index, tonumber(score), reached_at, better)
    end
  end
  places[asked] = place or struct.pack('>i8dc8i8', -1, 0, '\0\0\0\0\0\0\0\0', 0)
end
return {meta[1], meta[2], redis.call('ZCARD', KEYS[1]), table.concat(places)}
