//! Any text is a filter or is refused, and a filter can be asked of any resource.

#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rosterd_fuzz::scim::filter::Compiled;
use rosterd_fuzz::scim::{Filter, Kind, Types};

static TYPES: LazyLock<Types> = LazyLock::new(|| Types::new(&BTreeMap::new()));

fuzz_target!(|text: &str| {
    let Ok(filter) = Filter::parse(text) else {
        return;
    };
    for kind in Kind::ALL {
        if let Ok(compiled) = Compiled::new(&filter, TYPES.of(kind)) {
            compiled.equalities();
            compiled.must_equal();
            compiled.values_must_equal();
        }
    }
});
