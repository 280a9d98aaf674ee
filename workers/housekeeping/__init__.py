"""HOUSE-KEEPING beneath jobs/maintenance.py: the SQL and the storage of what is cleaned up, watched and told.

cleaning   deletes in short transactions and keeps the record    old        what has outlived LOG_RETENTION_DAYS
leftovers  what crashes left behind                              passwords  whose password expires
operators  who they are, and what failed since yesterday         sizes      how many bytes a row takes
runs       those that come too often for a record of each
"""
