"""HTTP: the ACS operations and Onhook's own pages."""
