"""The meaning of each code: its sentence, advice and behaviour. One row per code, one file per subject."""
