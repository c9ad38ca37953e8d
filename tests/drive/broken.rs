//! A rollback where the log is broken, full, or not there.
