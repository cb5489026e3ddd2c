-- Decide requests as a shop's pages would send them: 64 visitors in turn, three in four with consent.
-- The slot, traits and addresses are those of fixtures/demo and fixtures/geo/demo.mmdb.

local interests = { "running", "fashion", "travel", "gaming", "cooking", "music", "gardening", "gadgets" }
local tiers = { "none", "silver", "gold", "platinum" }
local agents = {
  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
  "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile Safari/537.36",
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:140.0) Gecko/20100101 Firefox/140.0",
}
local languages = { "ro", "de", "fr", "en" }

local function body(n)
  local granted = tostring(n % 4 ~= 3)
  local cart = ""
  if n % 3 == 0 then
    cart = string.format('"cart":{"value_micros":%d,"currency":"EUR","items":%d},', (n % 15) * 10000000, n % 5 + 1)
  end
  return string.format(
    '{"placements":[{"id":"hero","slot":"home_hero"}],' ..
    '"user":{"id":"visitor-%d","traits":{"interest":"%s","age":%d,"member_tier":"%s"}},' ..
    '"session":{%s"page_views":%d},' ..
    '"device":{"ua":"%s","ip":"198.18.%d.10","lang":"%s"},' ..
    '"page":{"url":"https://fernweh.example/%s?visit=%d","keywords":["%s","autumn"]},' ..
    '"consent":{"purposes":{"storage":%s,"ads_profile":%s,"ads_personalization":%s,' ..
    '"content_personalization":%s,"analytics":%s}}}',
    n, interests[n % 8 + 1], 18 + n % 50, tiers[math.floor(n / 8) % 4 + 1],
    cart, n % 9 + 1,
    agents[math.floor(n / 2) % 4 + 1], n % 11 + 1, languages[n % 4 + 1],
    interests[n % 8 + 1], n, interests[n % 8 + 1],
    granted, granted, granted, granted, granted
  )
end

local requests = {}
local turn = 0

function init()
  local headers = { ["Content-Type"] = "application/json" }
  for n = 0, 63 do
    requests[n + 1] = wrk.format("POST", "/v1/decide", headers, body(n))
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end
