//! The consent gate: turns what a request says about privacy into eleven yes-or-no gates.
//!
//! [`evaluate`] is the whole decision. It decodes every string itself, and decoding never fails upward: what cannot be
//! read is not granted. More regimes can only close gates, never open them. This is engineering, not legal advice.
//!
//! Cost: about half a microsecond for a usual request, bounded for any input by the caps in [`limits`]; no allocation,
//! no clock, no randomness. Not here: which signals need which gate (`tessera_wire::signal`), and applying the gates to
//! a request.

pub mod country;
pub mod error;
pub mod gate;
pub mod gpp;
pub mod inputs;
pub mod limits;
pub mod reason;
pub mod regime;
pub mod tcf;
pub mod us;
pub mod usp;
pub mod vendor;

mod bits;

pub use error::DecodeError;
pub use gate::{Outcome, evaluate};
pub use inputs::{ConsentInputs, DefaultRegime, GoogleConsentMode, GpcScope, OwnConsent, Policy, Role};
pub use reason::Reason;
pub use regime::Regimes;
pub use vendor::VendorProfile;
