"""The History tab: transcripts that outlive their page, kept in SQLite for whom they belong to."""
