"""Speech: texts are spoken and speech is recognised, offline by worker processes, or by HTTP endpoints."""
