-- Tables, one for each of the description in recorder/src/rows/schema.rs, whose columns a test holds to be these.
--
-- A row is named by (session, sequence). `block` is the sequence of the first row of the insert that brought it. Rows are kept by when they
-- were loaded, not by their own time: a capture of 2019 loaded today is as young as one of today.
-- Prices and money are whole numbers of 1e-9, times are nanoseconds.

CREATE DATABASE IF NOT EXISTS ${db}${on_cluster};

CREATE TABLE IF NOT EXISTS ${db}.schema_migrations${on_cluster} (
    version UInt32,
    name String,
    checksum String,
    loaded DateTime DEFAULT now()
)
ENGINE = ${ReplacingMergeTree(loaded)}
ORDER BY version;

CREATE TABLE IF NOT EXISTS ${db}.instruments${local}${on_cluster} (
    session LowCardinality(String),
    block UInt64 CODEC(DoubleDelta, LZ4),
    `sequence` UInt64 CODEC(DoubleDelta, LZ4),
    `receive_time` DateTime64(9, 'UTC') COMMENT 'ns since 1970-01-01 UTC' CODEC(DoubleDelta, LZ4),
    `instrument` UInt32 CODEC(T64, LZ4),
    `symbol` LowCardinality(String),
    `lot` Int64 COMMENT '1e-9 of the venue\'s quantity unit' CODEC(T64, LZ4),
    `price_decimals` UInt16,
    `qty_decimals` UInt16,
    `is_tradable` Bool,
    `unit_value` Int64 COMMENT '1e-9 of the currency for a lot and 1.0 of price' CODEC(Delta, ZSTD(1)),
    loaded DateTime DEFAULT now()
)
ENGINE = ${MergeTree}
ORDER BY (session, instrument)
SETTINGS ${window};

CREATE TABLE IF NOT EXISTS ${db}.sessions${local}${on_cluster} (
    session LowCardinality(String),
    block UInt64 CODEC(DoubleDelta, LZ4),
    `sequence` UInt64 CODEC(DoubleDelta, LZ4),
    `receive_time` DateTime64(9, 'UTC') COMMENT 'ns since 1970-01-01 UTC' CODEC(DoubleDelta, LZ4),
    `name` String CODEC(ZSTD(1)),
    `started` String COMMENT 'UTC' CODEC(ZSTD(1)),
    `ended` String COMMENT 'UTC' CODEC(ZSTD(1)),
    `end_reason` String CODEC(ZSTD(1)),
    `version` String CODEC(ZSTD(1)),
    `commit` String CODEC(ZSTD(1)),
    `feed` String CODEC(ZSTD(1)),
    `seed` UInt64 CODEC(T64, LZ4),
    `topology` String CODEC(ZSTD(1)),
    `config_fingerprint` String CODEC(ZSTD(1)),
    `resumed_from` String CODEC(ZSTD(1)),
    `frames` UInt64 CODEC(T64, LZ4),
    `first_time` DateTime64(9, 'UTC') COMMENT 'ns since 1970-01-01 UTC' CODEC(DoubleDelta, LZ4),
    loaded DateTime DEFAULT now()
)
ENGINE = ${MergeTree}
ORDER BY (session, sequence)
SETTINGS ${window};

CREATE TABLE IF NOT EXISTS ${db}.market_data${local}${on_cluster} (
    session LowCardinality(String),
    block UInt64 CODEC(DoubleDelta, LZ4),
    `sequence` UInt64 CODEC(DoubleDelta, LZ4),
    `frame` UInt64 CODEC(DoubleDelta, LZ4),
    `event_index` UInt32 CODEC(T64, LZ4),
    `receive_time` DateTime64(9, 'UTC') COMMENT 'ns since 1970-01-01 UTC' CODEC(DoubleDelta, LZ4),
    `venue_time` DateTime64(9, 'UTC') COMMENT 'ns since 1970-01-01 UTC' CODEC(DoubleDelta, LZ4),
    `instrument` UInt32 CODEC(T64, LZ4),
    `symbol` LowCardinality(String),
    `kind` LowCardinality(String),
    `side` LowCardinality(String),
    `price` Int64 COMMENT '1e-9 of the quote currency' CODEC(Delta, LZ4),
    `qty` Int64 COMMENT 'lots' CODEC(T64, LZ4),
    `a` UInt64 CODEC(T64, LZ4),
    `b` UInt64 CODEC(T64, LZ4),
    `flags` UInt16,
    `bid_prices` Array(Int64) COMMENT '1e-9 of the quote currency' CODEC(Delta(8), LZ4),
    `bid_qtys` Array(Int64) COMMENT 'lots' CODEC(Delta(8), LZ4),
    `bid_orders` Array(Int64) COMMENT 'orders' CODEC(Delta(8), LZ4),
    `ask_prices` Array(Int64) COMMENT '1e-9 of the quote currency' CODEC(Delta(8), LZ4),
    `ask_qtys` Array(Int64) COMMENT 'lots' CODEC(Delta(8), LZ4),
    `ask_orders` Array(Int64) COMMENT 'orders' CODEC(Delta(8), LZ4),
    loaded DateTime DEFAULT now()
)
ENGINE = ${MergeTree}
PARTITION BY toYYYYMMDD(receive_time)
ORDER BY (session, symbol, receive_time, sequence)
TTL loaded + INTERVAL 1 YEAR
SETTINGS ${window};

CREATE TABLE IF NOT EXISTS ${db}.trades${local}${on_cluster} (
    session LowCardinality(String),
    block UInt64 CODEC(DoubleDelta, LZ4),
    `sequence` UInt64 CODEC(DoubleDelta, LZ4),
    `frame` UInt64 CODEC(DoubleDelta, LZ4),
    `event_index` UInt32 CODEC(T64, LZ4),
    `receive_time` DateTime64(9, 'UTC') COMMENT 'ns since 1970-01-01 UTC' CODEC(DoubleDelta, LZ4),
    `venue_time` DateTime64(9, 'UTC') COMMENT 'ns since 1970-01-01 UTC' CODEC(DoubleDelta, LZ4),
    `instrument` UInt32 CODEC(T64, LZ4),
    `symbol` LowCardinality(String),
    `side` LowCardinality(String),
    `price` Int64 COMMENT '1e-9 of the quote currency' CODEC(Delta, LZ4),
    `qty` Int64 COMMENT 'lots' CODEC(T64, LZ4),
    `trade_id` UInt64 CODEC(T64, LZ4),
    `kind` LowCardinality(String),
    `is_counted` Bool,
    loaded DateTime DEFAULT now()
)
ENGINE = ${MergeTree}
PARTITION BY toYYYYMMDD(receive_time)
ORDER BY (session, symbol, receive_time, sequence)
TTL loaded + INTERVAL 2 YEAR
SETTINGS ${window};

CREATE TABLE IF NOT EXISTS ${db}.orders${local}${on_cluster} (
    session LowCardinality(String),
    block UInt64 CODEC(DoubleDelta, LZ4),
    `sequence` UInt64 CODEC(DoubleDelta, LZ4),
    `frame` UInt64 CODEC(DoubleDelta, LZ4),
    `event_index` UInt32 CODEC(T64, LZ4),
    `receive_time` DateTime64(9, 'UTC') COMMENT 'ns since 1970-01-01 UTC' CODEC(DoubleDelta, LZ4),
    `venue_time` DateTime64(9, 'UTC') COMMENT 'ns since 1970-01-01 UTC' CODEC(DoubleDelta, LZ4),
    `order_id` UInt64 CODEC(T64, LZ4),
    `new_order_id` UInt64 CODEC(T64, LZ4),
    `strategy` LowCardinality(String),
    `instrument` UInt32 CODEC(T64, LZ4),
    `symbol` LowCardinality(String),
    `step` LowCardinality(String),
    `side` LowCardinality(String),
    `price` Int64 COMMENT '1e-9 of the quote currency' CODEC(Delta, LZ4),
    `qty` Int64 COMMENT 'lots' CODEC(T64, LZ4),
    `leaves` Int64 COMMENT 'lots' CODEC(T64, LZ4),
    `tif` LowCardinality(String),
    `is_post_only` Bool,
    `is_reduce_only` Bool,
    `code` LowCardinality(String),
    `is_from_risk` Bool,
    `cause_frame` UInt64 CODEC(T64, LZ4),
    `venue_order` UInt64 CODEC(T64, LZ4),
    `bid` Int64 COMMENT '1e-9 of the quote currency' CODEC(Delta, LZ4),
    `ask` Int64 COMMENT '1e-9 of the quote currency' CODEC(Delta, LZ4),
    `level_qty` Int64 COMMENT 'lots' CODEC(T64, LZ4),
    loaded DateTime DEFAULT now()
)
ENGINE = ${MergeTree}
PARTITION BY toYYYYMMDD(receive_time)
ORDER BY (session, sequence)
TTL loaded + INTERVAL 5 YEAR
SETTINGS ${window};

CREATE TABLE IF NOT EXISTS ${db}.fills${local}${on_cluster} (
    session LowCardinality(String),
    block UInt64 CODEC(DoubleDelta, LZ4),
    `sequence` UInt64 CODEC(DoubleDelta, LZ4),
    `frame` UInt64 CODEC(DoubleDelta, LZ4),
    `event_index` UInt32 CODEC(T64, LZ4),
    `receive_time` DateTime64(9, 'UTC') COMMENT 'ns since 1970-01-01 UTC' CODEC(DoubleDelta, LZ4),
    `venue_time` DateTime64(9, 'UTC') COMMENT 'ns since 1970-01-01 UTC' CODEC(DoubleDelta, LZ4),
    `exec_id` UInt64 CODEC(T64, LZ4),
    `order_id` UInt64 CODEC(T64, LZ4),
    `strategy` LowCardinality(String),
    `instrument` UInt32 CODEC(T64, LZ4),
    `symbol` LowCardinality(String),
    `side` LowCardinality(String),
    `price` Int64 COMMENT '1e-9 of the quote currency' CODEC(Delta, LZ4),
    `qty` Int64 COMMENT 'lots' CODEC(T64, LZ4),
    `leaves` Int64 COMMENT 'lots' CODEC(T64, LZ4),
    `is_maker` Bool,
    `is_duplicate` Bool,
    `fee` Int64 COMMENT '1e-9 of the currency' CODEC(Delta, ZSTD(1)),
    `realized` Int64 COMMENT '1e-9 of the currency' CODEC(Delta, ZSTD(1)),
    `mid` Int64 COMMENT '1e-9 of the quote currency' CODEC(Delta, LZ4),
    `decision_mid` Int64 COMMENT '1e-9 of the quote currency' CODEC(Delta, LZ4),
    `arrival_mid` Int64 COMMENT '1e-9 of the quote currency' CODEC(Delta, LZ4),
    `queue_ahead` Int64 COMMENT 'lots' CODEC(T64, LZ4),
    loaded DateTime DEFAULT now()
)
ENGINE = ${MergeTree}
PARTITION BY toYYYYMMDD(receive_time)
ORDER BY (session, sequence)
TTL loaded + INTERVAL 5 YEAR
SETTINGS ${window};

CREATE TABLE IF NOT EXISTS ${db}.risk_log${local}${on_cluster} (
    session LowCardinality(String),
    block UInt64 CODEC(DoubleDelta, LZ4),
    `sequence` UInt64 CODEC(DoubleDelta, LZ4),
    `frame` UInt64 CODEC(DoubleDelta, LZ4),
    `event_index` UInt32 CODEC(T64, LZ4),
    `receive_time` DateTime64(9, 'UTC') COMMENT 'ns since 1970-01-01 UTC' CODEC(DoubleDelta, LZ4),
    `order_id` UInt64 CODEC(T64, LZ4),
    `new_order_id` UInt64 CODEC(T64, LZ4),
    `strategy` LowCardinality(String),
    `instrument` UInt32 CODEC(T64, LZ4),
    `symbol` LowCardinality(String),
    `action` LowCardinality(String),
    `side` LowCardinality(String),
    `tif` LowCardinality(String),
    `price` Int64 COMMENT '1e-9 of the quote currency' CODEC(Delta, LZ4),
    `qty` Int64 COMMENT 'lots' CODEC(T64, LZ4),
    `code` LowCardinality(String),
    `value` Int64 CODEC(T64, LZ4),
    `limit` Int64 CODEC(T64, LZ4),
    `state` LowCardinality(String),
    loaded DateTime DEFAULT now()
)
ENGINE = ${MergeTree}
PARTITION BY toYYYYMMDD(receive_time)
ORDER BY (session, sequence)
TTL loaded + INTERVAL 5 YEAR
SETTINGS ${window};

CREATE TABLE IF NOT EXISTS ${db}.positions${local}${on_cluster} (
    session LowCardinality(String),
    block UInt64 CODEC(DoubleDelta, LZ4),
    `sequence` UInt64 CODEC(DoubleDelta, LZ4),
    `frame` UInt64 CODEC(DoubleDelta, LZ4),
    `event_index` UInt32 CODEC(T64, LZ4),
    `receive_time` DateTime64(9, 'UTC') COMMENT 'ns since 1970-01-01 UTC' CODEC(DoubleDelta, LZ4),
    `strategy` LowCardinality(String),
    `instrument` UInt32 CODEC(T64, LZ4),
    `symbol` LowCardinality(String),
    `qty` Int64 COMMENT 'lots' CODEC(T64, LZ4),
    `cost` Int64 COMMENT '1e-9 of the currency' CODEC(Delta, ZSTD(1)),
    `realized` Int64 COMMENT '1e-9 of the currency' CODEC(Delta, ZSTD(1)),
    `unrealized` Int64 COMMENT '1e-9 of the currency' CODEC(Delta, ZSTD(1)),
    `fees` Int64 COMMENT '1e-9 of the currency' CODEC(Delta, ZSTD(1)),
    `bought` Int64 COMMENT 'lots' CODEC(T64, LZ4),
    `sold` Int64 COMMENT 'lots' CODEC(T64, LZ4),
    `fills` UInt64 CODEC(T64, LZ4),
    `is_last` Bool,
    loaded DateTime DEFAULT now()
)
ENGINE = ${MergeTree}
PARTITION BY toYYYYMMDD(receive_time)
ORDER BY (session, sequence)
TTL loaded + INTERVAL 5 YEAR
SETTINGS ${window};

CREATE TABLE IF NOT EXISTS ${db}.latency${local}${on_cluster} (
    session LowCardinality(String),
    block UInt64 CODEC(DoubleDelta, LZ4),
    `sequence` UInt64 CODEC(DoubleDelta, LZ4),
    `frame` UInt64 CODEC(DoubleDelta, LZ4),
    `receive_time` DateTime64(9, 'UTC') COMMENT 'ns since 1970-01-01 UTC' CODEC(DoubleDelta, LZ4),
    `order_id` UInt64 CODEC(T64, LZ4),
    `new_order_id` UInt64 CODEC(T64, LZ4),
    `strategy` LowCardinality(String),
    `instrument` UInt32 CODEC(T64, LZ4),
    `symbol` LowCardinality(String),
    `action` LowCardinality(String),
    `code` LowCardinality(String),
    `received` DateTime64(9, 'UTC') COMMENT 'ns since 1970-01-01 UTC' CODEC(DoubleDelta, LZ4),
    `normalizer_wait_ns` Int64 COMMENT 'ns' CODEC(T64, LZ4),
    `normalizer_ns` Int64 COMMENT 'ns' CODEC(T64, LZ4),
    `book_wait_ns` Int64 COMMENT 'ns' CODEC(T64, LZ4),
    `book_ns` Int64 COMMENT 'ns' CODEC(T64, LZ4),
    `strategies_wait_ns` Int64 COMMENT 'ns' CODEC(T64, LZ4),
    `strategies_ns` Int64 COMMENT 'ns' CODEC(T64, LZ4),
    `risk_wait_ns` Int64 COMMENT 'ns' CODEC(T64, LZ4),
    `risk_ns` Int64 COMMENT 'ns' CODEC(T64, LZ4),
    `egress_wait_ns` Int64 COMMENT 'ns' CODEC(T64, LZ4),
    `journal_wait_ns` Int64 COMMENT 'ns' CODEC(T64, LZ4),
    `send_ns` Int64 COMMENT 'ns' CODEC(T64, LZ4),
    `total_ns` Int64 COMMENT 'ns' CODEC(T64, LZ4),
    `ahead_normalizer` UInt32 CODEC(T64, LZ4),
    `ahead_book` UInt32 CODEC(T64, LZ4),
    `ahead_strategies` UInt32 CODEC(T64, LZ4),
    `ahead_risk` UInt32 CODEC(T64, LZ4),
    `ahead_egress` UInt32 CODEC(T64, LZ4),
    loaded DateTime DEFAULT now()
)
ENGINE = ${MergeTree}
PARTITION BY toYYYYMMDD(receive_time)
ORDER BY (session, sequence)
TTL loaded + INTERVAL 2 YEAR
SETTINGS ${window};

CREATE TABLE IF NOT EXISTS ${db}.health${local}${on_cluster} (
    session LowCardinality(String),
    block UInt64 CODEC(DoubleDelta, LZ4),
    `sequence` UInt64 CODEC(DoubleDelta, LZ4),
    `frame` UInt64 CODEC(DoubleDelta, LZ4),
    `event_index` UInt32 CODEC(T64, LZ4),
    `receive_time` DateTime64(9, 'UTC') COMMENT 'ns since 1970-01-01 UTC' CODEC(DoubleDelta, LZ4),
    `venue_time` DateTime64(9, 'UTC') COMMENT 'ns since 1970-01-01 UTC' CODEC(DoubleDelta, LZ4),
    `instrument` UInt32 CODEC(T64, LZ4),
    `symbol` LowCardinality(String),
    `kind` LowCardinality(String),
    `detail` String CODEC(ZSTD(1)),
    `a` UInt64 CODEC(T64, LZ4),
    `b` UInt64 CODEC(T64, LZ4),
    loaded DateTime DEFAULT now()
)
ENGINE = ${MergeTree}
PARTITION BY toYYYYMMDD(receive_time)
ORDER BY (session, sequence)
TTL loaded + INTERVAL 2 YEAR
SETTINGS ${window};
