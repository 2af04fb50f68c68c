import { createHash } from 'node:crypto';
import { LimitAlgorithm } from '../config/algorithm.ts';
import { setBackUs } from './bucket-level.ts';
import { slotsPerWindow, slotUs } from './slot-ring.ts';
import type { Take } from './take.ts';

/** Numbers that one take has in the reply: 0 taken, 1 over, 2 the key holds something else; what remains; microseconds. */
export const repliesPerTake = 3;

const Kind = { Fixed: 0, Bucket: 1, Ring: 2 } as const;

/**
 * One event-loop turn's takes in Redis. KEYS: every key once. ARGV: the time in microseconds or 0 for the server's own, then
 * for each call the number of its takes, 1 when they are all or nothing, and nine numbers for each take: which key, kind,
 * capacity, three numbers of the kind, hits, whether it is enforced, and for a fixed window the seconds that its key lives.
 *
 * Each key is read once and written once, however many calls take from it. A bucket is `level scale at`, see
 * `bucket-level.ts`; a window in parts is `newest count count ...`, see `slot-ring.ts`; a fixed window is its count, as the
 * reference service writes it.
 */
export const takeScript: string = `
local now
if ARGV[1] == '0' then
  local t = redis.call('TIME')
  now = t[1] * 1000000 + t[2]
else
  now = tonumber(ARGV[1])
end
local SLOTS = ${slotsPerWindow} + 1
local SETBACK = ${setBackUs}
local states = {}

local function numbers(raw)
  local list = {}
  for word in string.gmatch(raw, '%S+') do
    local n = tonumber(word)
    if not n or n ~= n or n < 0 then return nil end
    list[#list + 1] = n
  end
  return list
end

local function load(at, kind, scale)
  local s = states[at]
  if s == nil then
    local raw = redis.pcall('GET', KEYS[at])
    s = { kind = kind, dirty = false }
    if type(raw) == 'table' then
      s.bad = raw.err
    elseif kind == 0 then
      s.count = raw and tonumber(raw) or 0
      if raw and not tonumber(raw) then s.bad = 'not a number' end
    else
      local list = raw and numbers(raw) or {}
      if raw and (not list or (kind == 1 and #list ~= 3) or (kind == 2 and (#list < 1 or #list > SLOTS + 1))) then
        s.bad = 'not a limit of this kind'
      elseif kind == 1 then
        s.level, s.scale, s.at = list[1] or 0, list[2] or scale, list[3] or 0
      else
        s.newest, s.counts, s.sum = list[1] or 0, {}, 0
        for i = 1, SLOTS do
          s.counts[i] = list[i + 1] or 0
          s.sum = s.sum + s.counts[i]
        end
      end
    end
    states[at] = s
  end
  return s
end

local function advance(s, p1, p2, p3)
  if s.kind == 1 then
    if s.scale ~= p1 then
      s.level = math.ceil(s.level * p1 / s.scale)
      s.scale = p1
    end
    local ticks = math.floor(now / p3) - math.floor(s.at / p3)
    if ticks > 0 then
      s.level = math.max(0, s.level - ticks * p2)
      s.at = math.floor(now / p3) * p3
    elseif s.at - now > SETBACK then
      s.at = math.floor(now / p3) * p3
      s.dirty = true
    end
  elseif s.kind == 2 then
    local slot = math.floor(now / p1)
    local shift = math.min(slot - s.newest, SLOTS)
    if shift > 0 then
      s.newest = slot
      for i = SLOTS, 1, -1 do
        if i + shift > SLOTS then s.sum = s.sum - s.counts[i] end
        s.counts[i] = i > shift and s.counts[i - shift] or 0
      end
    elseif shift < -1 and -shift * p1 > SETBACK then
      s.newest = slot
      s.dirty = true
    end
  end
end

local function take(s, capacity, p1, hits)
  if s.kind == 0 then
    if hits >= 0 and s.count + hits > capacity then return false end
    s.count = math.max(0, s.count + hits)
  elseif s.kind == 1 then
    if hits >= 0 and s.level + hits * p1 > capacity then return false end
    s.level = math.max(0, s.level + hits * p1)
  elseif hits >= 0 then
    if s.sum + hits > capacity then return false end
    s.counts[1] = s.counts[1] + hits
    s.sum = s.sum + hits
  else
    local left = -hits
    for i = 1, SLOTS do
      local back = math.min(left, s.counts[i])
      s.counts[i] = s.counts[i] - back
      s.sum = s.sum - back
      left = left - back
    end
  end
  if hits ~= 0 then s.dirty = true end
  return true
end

local function remaining(s, capacity, p1)
  if s.kind == 0 then return math.max(0, capacity - s.count) end
  if s.kind == 1 then return math.max(0, math.floor((capacity - s.level) / p1)) end
  return math.max(0, capacity - s.sum)
end

local function reset(s, capacity, p1, p2, p3, hits)
  if s.kind == 0 then return math.max(0, (p1 + p2) * 1000000 - now) end
  if s.kind == 1 then
    if p2 == 0 then return p1 * p3 end
    local over = s.level + hits * p1 - capacity
    local units = (hits > 0 and over <= s.level) and over or s.level
    return math.ceil(math.max(0, units) / p2) * p3
  end
  local over = s.sum + hits - capacity
  local gone = (hits > 0 and over <= s.sum) and over or s.sum
  for i = SLOTS, 1, -1 do
    if s.counts[i] > 0 then
      gone = gone - s.counts[i]
      if gone <= 0 then return math.max(0, (s.newest - i + 1 + SLOTS) * p1 - now) end
    end
  end
  return 0
end

local out = {}
local at = 2
while at <= #ARGV do
  local n = tonumber(ARGV[at])
  local whole = ARGV[at + 1] == '1'
  at = at + 2
  local call = {}
  local rejected = false
  for i = 1, n do
    local t = {}
    for j = 0, 8 do t[j + 1] = tonumber(ARGV[at + j]) end
    at = at + 9
    local s = load(t[1], t[2], t[4])
    t.state = s
    if s.bad then
      t.code = 2
    else
      advance(s, t[4], t[5], t[6])
      t.code = take(s, t[3], t[4], t[7]) and 0 or 1
      s.p1, s.p2, s.p3, s.ttl = t[4], t[5], t[6], t[9]
    end
    if t.code ~= 0 and t[8] == 1 then rejected = true end
    call[i] = t
  end
  if whole and rejected then
    for i = 1, n do
      local t = call[i]
      if t.code == 0 and t[7] > 0 then take(t.state, t[3], t[4], -t[7]) end
    end
  end
  for i = 1, n do
    local t = call[i]
    out[#out + 1] = t.code
    if t.code == 2 then
      out[#out + 1] = 0
      out[#out + 1] = 0
    else
      out[#out + 1] = remaining(t.state, t[3], t[4])
      out[#out + 1] = reset(t.state, t[3], t[4], t[5], t[6], t.code == 1 and t[7] or 0)
    end
  end
end

for i, s in pairs(states) do
  if s.dirty then
    local key = KEYS[i]
    if s.kind == 0 then
      redis.call('SET', key, string.format('%.0f', s.count), 'EX', s.ttl)
    elseif s.kind == 1 then
      if s.level == 0 then
        redis.call('DEL', key)
      else
        local life = s.p2 == 0 and 1000 or math.ceil(s.level / s.p2) * s.p3 / 1000
        local state = string.format('%.0f %.0f %.0f', s.level, s.scale, s.at)
        redis.call('SET', key, state, 'PX', string.format('%.0f', math.ceil(life) + 1000))
      end
    elseif s.sum == 0 then
      redis.call('DEL', key)
    else
      local last = SLOTS
      while s.counts[last] == 0 do last = last - 1 end
      local list = { string.format('%.0f', s.newest) }
      for j = 1, last do list[j + 1] = string.format('%.0f', s.counts[j]) end
      redis.call('SET', key, table.concat(list, ' '), 'PX', string.format('%.0f', math.ceil(s.p1 * SLOTS / 1000) + 1000))
    end
  end
end
return out
`;

/** The name by which Redis knows the script once it has seen it. */
export const takeScriptSha: string = createHash('sha1').update(takeScript).digest('hex');

/** One take's nine arguments, for the key at `keyAt` (from 1). `ttlSeconds` is of a fixed window. */
export function pushTakeArguments(to: (string | number)[], take: Take, keyAt: number, ttlSeconds: number): void {
  const { limit, hits } = take;
  const { rate } = limit;
  const enforced = limit.enforced ? 1 : 0;
  if (rate !== null) {
    to.push(keyAt, Kind.Bucket, rate.capacity, rate.scale, rate.drain, rate.tickUs, hits, enforced, 0);
  } else if (limit.algorithm === LimitAlgorithm.FixedWindow) {
    const { windowSeconds } = limit;
    to.push(keyAt, Kind.Fixed, limit.limit, take.windowStart, windowSeconds, 0, hits, enforced, ttlSeconds);
  } else to.push(keyAt, Kind.Ring, limit.limit, slotUs(limit.windowSeconds), 0, 0, hits, enforced, 0);
}
