//! Macros of the stead SDK for Temporal
