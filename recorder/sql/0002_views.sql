-- What desks ask all the time, kept up with every insert: bars of a minute, latency by minute. States, not rows: ask them through the views
-- `bars` and `latency_by_minute`.

CREATE TABLE IF NOT EXISTS ${db}.bars_1m${local}${on_cluster} (
    session LowCardinality(String),
    symbol LowCardinality(String),
    minute DateTime('UTC'),
    open AggregateFunction(argMin, Int64, UInt64),
    high SimpleAggregateFunction(max, Int64),
    low SimpleAggregateFunction(min, Int64),
    close AggregateFunction(argMax, Int64, UInt64),
    qty SimpleAggregateFunction(sum, Int64),
    trades SimpleAggregateFunction(sum, UInt64),
    price_qty SimpleAggregateFunction(sum, Int128)
)
ENGINE = ${AggregatingMergeTree}
PARTITION BY toYYYYMM(minute)
ORDER BY (session, symbol, minute)
SETTINGS ${window};

CREATE MATERIALIZED VIEW IF NOT EXISTS ${db}.bars_1m_of_trades${on_cluster} TO ${db}.bars_1m${local} AS
SELECT
    session,
    symbol,
    toStartOfMinute(toDateTime(receive_time, 'UTC')) AS minute,
    argMinState(price, sequence) AS open,
    max(price) AS high,
    min(price) AS low,
    argMaxState(price, sequence) AS close,
    sum(qty) AS qty,
    count() AS trades,
    sum(toInt128(price) * trades.qty) AS price_qty
FROM ${db}.trades${local} AS trades
WHERE is_counted AND price > 0
GROUP BY session, symbol, minute;

CREATE VIEW IF NOT EXISTS ${db}.bars${on_cluster} AS
SELECT
    session,
    symbol,
    minute,
    argMinMerge(b.open) AS open,
    max(b.high) AS high,
    min(b.low) AS low,
    argMaxMerge(b.close) AS close,
    sum(b.qty) AS qty,
    sum(b.trades) AS trades,
    toInt64(intDiv(sum(b.price_qty), sum(b.qty))) AS vwap
FROM ${db}.bars_1m AS b
GROUP BY session, symbol, minute;

CREATE TABLE IF NOT EXISTS ${db}.latency_1m${local}${on_cluster} (
    session LowCardinality(String),
    strategy LowCardinality(String),
    minute DateTime('UTC'),
    orders SimpleAggregateFunction(sum, UInt64),
    longest SimpleAggregateFunction(max, Int64),
    total AggregateFunction(quantilesTDigest(0.5, 0.9, 0.99, 0.999), Int64)
)
ENGINE = ${AggregatingMergeTree}
PARTITION BY toYYYYMM(minute)
ORDER BY (session, strategy, minute)
SETTINGS ${window};

CREATE MATERIALIZED VIEW IF NOT EXISTS ${db}.latency_1m_of_orders${on_cluster} TO ${db}.latency_1m${local} AS
SELECT
    session,
    strategy,
    toStartOfMinute(toDateTime(receive_time, 'UTC')) AS minute,
    count() AS orders,
    max(total_ns) AS longest,
    quantilesTDigestState(0.5, 0.9, 0.99, 0.999)(total_ns) AS total
FROM ${db}.latency${local}
WHERE code = 'approved' AND total_ns > 0
GROUP BY session, strategy, minute;

CREATE VIEW IF NOT EXISTS ${db}.latency_by_minute${on_cluster} AS
SELECT
    session,
    strategy,
    minute,
    sum(l.orders) AS orders,
    max(l.longest) AS longest,
    quantilesTDigestMerge(0.5, 0.9, 0.99, 0.999)(l.total) AS quantiles
FROM ${db}.latency_1m AS l
GROUP BY session, strategy, minute;
