//! Everything one server knows, shared by all requests.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::SimOptions;
use crate::applivery;
use crate::clock::Clock;
use crate::faults::Faults;
use crate::graph;
use crate::okta;
use crate::provider;
use crate::settings::Settings;
use crate::stats::Counter;

/// The state of one server.
#[derive(Debug)]
pub struct World {
    pub clock: Clock,
    pub faults: Faults,
    pub stats: Counter,
    pub graph: graph::Service,
    pub okta: okta::Service,
    pub applivery: applivery::Service,
    pub provider: provider::Service,
    settings: RwLock<Settings>,
}

impl World {
    /// A world founded by the options.
    pub fn new(options: &SimOptions) -> Self {
        let clock = Clock::default();
        let settings = options.settings.clone();
        clock.set_offset(settings.clock_offset_ms);
        Self {
            faults: Faults::new(options.seed),
            stats: Counter::default(),
            graph: graph::Service::new(options, &clock),
            okta: okta::Service::new(options, &clock),
            applivery: applivery::Service::default(),
            provider: provider::Service::default(),
            settings: RwLock::new(settings),
            clock,
        }
    }

    /// The settings now.
    pub fn settings(&self) -> RwLockReadGuard<'_, Settings> {
        read(&self.settings)
    }

    /// Puts other settings in place.
    pub fn change_settings(&self, settings: Settings) {
        self.clock.set_offset(settings.clock_offset_ms);
        *write(&self.settings) = settings;
    }
}

/// Reads behind a lock. A handler that panicked leaves nothing half-written worth refusing for.
pub fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

/// Writes behind a lock; see `read`.
pub fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
