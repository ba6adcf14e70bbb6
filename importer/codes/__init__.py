"""What each code means: its sentence, advice and behaviour. One row per code, one file per subject."""
