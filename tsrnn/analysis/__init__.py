"""What the paper measures on a trained network: a module per figure, its protocol as default.

All functions take a LeakyRNN of K networks, ours or one in the published format, and return a long table:
one row per observation, the index in the ensemble in the column `network`, the protocol in `table.attrs`
(pandas writes it into the parquet file, too).
"""
