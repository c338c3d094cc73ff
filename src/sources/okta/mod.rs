//! Okta: people, groups and assignments over the management API.
