//! To come: runbook.
