//! The way back: from each moment, from another terminal, interrupted, and incomplete.
