//! rosterd keeps the people of an application's portals in step with an identity provider.

pub mod store;
