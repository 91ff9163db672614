"""The ACS wire surface: operations, models, events, authentication. Generated, plus a thin hand-written rest."""
