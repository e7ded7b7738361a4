"""itch-book's best prices and depth of a session, against the exchange's own after each command. Arguments: session file, expected rows."""
import datetime
import sys

import itch_book
import numpy as np

LEVELS = 5
expected = np.fromfile(sys.argv[2], dtype="<u4").reshape(-1, 2 + LEVELS * 6).astype(np.int64)
feed = itch_book.Feed(sys.argv[1], date=datetime.date(2026, 1, 5), price_type="fixed")
depth_names = [f"{side}_{what}_{level:02}" for level in range(LEVELS) for side in ("bid", "ask") for what in ("px", "sz", "ct")]
bbo_names = [f"{side}_{what}" for side in ("bid", "ask") for what in ("px", "sz", "ct")]
tables = {"depth": (["ts_event", "locate"] + depth_names, []), "bbo": (["ts_event", "locate"] + bbo_names, [])}
for batch in feed.batches(tables=("depth", "bbo"), depth=LEVELS):
    for name, (columns, parts) in tables.items():
        table = getattr(batch, name)
        parts.append(np.column_stack([np.asarray(table[c]).astype(np.int64) for c in columns]))

midnight = int(feed._midnight)
changes = {}
for name, (columns, parts) in tables.items():
    seen = np.concatenate(parts)
    seen[:, 0] -= midnight
    changes[name] = len(seen)
    for locate in np.unique(expected[:, 1]):
        ours = expected[expected[:, 1] == locate]
        theirs = seen[seen[:, 1] == locate]
        # What was in force after the message of each of our rows; nothing before the first change.
        at = np.searchsorted(theirs[:, 0], ours[:, 0], side="right") - 1
        in_force = np.where((at >= 0)[:, None], theirs[np.maximum(at, 0), 2:], 0)
        wrong = np.nonzero((in_force != ours[:, 2 : len(columns)]).any(axis=1))[0]
        if len(wrong):
            row = wrong[0]
            sys.exit(f"{name} of locate {locate} after message {ours[row, 0]}: theirs {in_force[row]}, ours {ours[row, 2:len(columns)]}; {len(wrong)} rows differ")
stats = feed.stats
print("rows", len(expected), "depth changes", changes["depth"], "best price changes", changes["bbo"], "messages", int(expected[-1, 0]) + 1)
bad = {name: value for name, value in stats.items() if value and any(word in name for word in ("unknown", "missing", "unresolved", "malformed", "crossed", "duplicate", "rejected", "over"))}
if bad:
    sys.exit(f"itch-book found faults: {bad}")
