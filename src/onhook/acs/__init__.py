"""The ACS wire surface: operations, models, events, authentication. Generated, plus a thin rest by hand."""
