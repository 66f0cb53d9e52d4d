"""What the paper measures on a trained network: a module per figure, its protocol as default.

All functions take K networks, ours or one in the published format; those of activity also gated ones, or one
of a reader's own (`model.Network`). They return a long table: one row per observation, the index in the
ensemble in the column `network`, the protocol in `table.attrs` (pandas writes it into the parquet file, too).
"""
