//! Testing tools of the stead SDK for Temporal
