//! To come: gate.
