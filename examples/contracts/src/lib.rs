//! Contracts of a shop: what its workflows and activities are called, take and return.
//!
//! Callers and workers depend on this crate. It pulls in no client, no worker and no async runtime.

use serde::{Deserialize, Serialize};
use stead::contract;

/// What a shipment ends with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// Who signed for it.
    pub signed_by: String,
    /// How often it was held on the way.
    pub times_held: u32,
}

/// Ships an order to its customer.
#[contract("Shipping")]
pub trait Shipping {
    /// Ships the order with this id.
    #[run]
    fn run(&self, order: String) -> Delivery;

    /// Holds the parcel where it is.
    #[signal]
    fn hold(&self, why: String);

    /// Lets it go on.
    #[signal]
    fn release(&self);

    /// Whether it is held.
    #[query]
    fn held(&self) -> bool;
}

/// Served by a worker in another language.
#[contract]
pub trait Billing {
    /// Charges an account.
    #[activity(name = "Charge")]
    fn charge(&self, account: String, amount: u64) -> String;
}
