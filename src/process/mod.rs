//! To come: process.
