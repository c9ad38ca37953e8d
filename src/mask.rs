//! To come: mask.
