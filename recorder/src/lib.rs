//! Files on disk: journal, audit, digests, latency histograms.
