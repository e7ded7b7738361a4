//! Configuration: TOML files and their schema, turned into the plain `Config` of each crate.
