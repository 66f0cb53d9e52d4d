"""What the paper measures on a trained network: a module per figure, its protocol as default.

Functions of weights and activity take K networks, ours or in the published format, and say which in the
column `network`; those that damage or decode take one. Those of activity take gated ones, too, or one of a
reader's own (`model.Network`). All return a long table, one row per observation, most with the protocol in
`table.attrs` (pandas writes it into the parquet file).
"""
