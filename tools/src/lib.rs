//! `spinward`: the binary and the `App` that users run their strategies with.
