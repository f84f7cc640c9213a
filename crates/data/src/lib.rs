//! Payload conversion, failures and typed references of the stead SDK for Temporal
