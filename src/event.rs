//! To come: event.
