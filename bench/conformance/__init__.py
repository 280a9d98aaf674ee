"""RQ's own test suite with our worker in the place of `rq.Worker`: `make test-conformance`."""
