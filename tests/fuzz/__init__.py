"""Fuzzing of everything that reads what strangers write.

`targets.py` has one function per reader with the properties that must hold, `corpus/` the seeds of each,
`mutation.py` changes them at random. `test_fuzz.py` runs a bounded sample in `make test` and more in
`make soak`; `python -m tests.fuzz --inputs N` runs as many as wanted and counts them.
"""
