"""The tests of Sıra: one file per module, run by `make test`."""
