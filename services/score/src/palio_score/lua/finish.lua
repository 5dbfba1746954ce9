-- Make a board that was built ready, under a new epoch; 0 if another rebuild took over or the board was lost meanwhile.
-- KEYS[1] order   KEYS[2] players   KEYS[3] meta
-- ARGV[1] id of the rebuild   ARGV[2] the new epoch
local meta = KEYS[3]
if redis.call('HGET', meta, 'build') ~= ARGV[1] then
    return 0
end
redis.call('HDEL', meta, 'build')
redis.call('HSET', meta, 'state', 'ready', 'epoch', ARGV[2])
redis.call('HINCRBY', meta, 'version', 1)
return 1
