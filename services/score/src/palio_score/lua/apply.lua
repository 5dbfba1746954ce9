-- Apply standings to one board, newest version wins; answer who stands where.
-- KEYS[1] order: zset of (reached_at, player) by sort score   KEYS[2] players: player -> (reached_at, version)
-- KEYS[3] meta: state, epoch, version, build
-- ARGV[1] rows of 40 bytes: player 16, sort score (double) 8, reached_at 8, version 8; a player at most once;
--         version 0 is never newer, it only asks for a rank
-- ARGV[2] ranks wanted: '' none, 'own' each position its own, 'shared' equal scores one rank
-- ARGV[3] the rebuild that brings the rows, or '' for live ones
-- Answers msgpack: state ('' if there is no such board, or another rebuild has it), epoch, version, and for each row
-- (rank, previous rank, sort score), zeros where there is none. A row that is not newer has its rank as previous one.
-- Absolute and idempotent: running it twice, late or out of order, leaves the same board.
local order, players, meta = KEYS[1], KEYS[2], KEYS[3]
local ranked, build = ARGV[2], ARGV[3]
local call, unpack_bytes, sub = redis.call, struct.unpack, string.sub

local about = call('HMGET', meta, 'state', 'epoch', 'version', 'build')
if not about[1] or (build ~= '' and about[4] ~= build) then
    return cmsgpack.pack({'', '', 0, {}})
end

local ids, scores, states = {}, {}, {}
for at = 1, #ARGV[1], 40 do
    local i = #ids + 1
    ids[i], scores[i], states[i] = unpack_bytes('>c16dc16', ARGV[1], at)
end

local function version_of(state)
    return (unpack_bytes('>I8', state, 9))
end

local function member_of(i, state)
    return sub(state, 1, 8) .. ids[i]
end

local function rank_of(member, score)
    if ranked == 'shared' then
        return 1 + call('ZCOUNT', order, '-inf', '(' .. string.format('%.17g', score))
    end
    return 1 + (call('ZRANK', order, member) or -1)
end

local held = #ids > 0 and call('HMGET', players, unpack(ids)) or {}
local newer, previous = {}, {}
local leaving, arriving, standing = {}, {}, {}
for i = 1, #ids do
    local old = held[i]
    if version_of(states[i]) > (old and version_of(old) or 0) then
        newer[i] = true
        if old then
            local member = member_of(i, old)
            leaving[#leaving + 1] = member
            if ranked ~= '' then
                previous[i] = rank_of(member, ranked == 'shared' and tonumber(call('ZSCORE', order, member)))
            end
        end
        arriving[#arriving + 1] = scores[i]
        arriving[#arriving + 1] = member_of(i, states[i])
        standing[#standing + 1] = ids[i]
        standing[#standing + 1] = states[i]
    end
end

local version = tonumber(about[3]) or 0
if #arriving > 0 then
    if #leaving > 0 then
        call('ZREM', order, unpack(leaving))
    end
    call('ZADD', order, unpack(arriving))
    call('HSET', players, unpack(standing))
    version = call('HINCRBY', meta, 'version', 1)
end

local ranks = {}
if ranked ~= '' and about[1] == 'ready' then
    for i = 1, #ids do
        local state, score, rank = states[i], scores[i], 0
        if not newer[i] and held[i] ~= state then
            state = held[i]
            score = state and tonumber(call('ZSCORE', order, member_of(i, state))) or 0
        end
        if state then
            rank = rank_of(member_of(i, state), score)
        end
        ranks[3 * i - 2] = rank
        ranks[3 * i - 1] = newer[i] and (previous[i] or 0) or rank
        ranks[3 * i] = score
    end
end
return cmsgpack.pack({about[1], about[2] or '', version, ranks})
