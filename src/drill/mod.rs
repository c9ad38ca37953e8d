//! To come: drill.
