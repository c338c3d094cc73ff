//! Names from many places, each with the letters used in addresses.
//!
//! Some are here for trouble: combining accents, right-to-left script, apostrophes, sharp s,
//! dotless i, a name of one letter.

pub const GIVEN: &[(&str, &str)] = &[
    ("Ada", "ada"),
    ("Zoë", "zoe"),
    ("Łukasz", "lukasz"),
    ("Jose\u{301}", "jose"),
    ("Олена", "olena"),
    ("أحمد", "ahmed"),
    ("美咲", "misaki"),
    ("Søren", "soren"),
    ("Ólafur", "olafur"),
    ("Işıl", "isil"),
    ("Nuño", "nuno"),
    ("Siobhán", "siobhan"),
    ("Jean-Luc", "jean-luc"),
    ("Ngọc", "ngoc"),
    ("Δήμητρα", "dimitra"),
    ("עדי", "adi"),
    ("Priya", "priya"),
    ("Chinedu", "chinedu"),
    ("Maria", "maria"),
    ("X", "x"),
    ("Björn", "bjorn"),
    ("Xiùyīng", "xiuying"),
    ("Tomáš", "tomas"),
    ("Grace", "grace"),
];

pub const FAMILY: &[(&str, &str)] = &[
    ("Lovelace", "lovelace"),
    ("O’Neil", "oneil"),
    ("García-López", "garcia"),
    ("Straße", "strasse"),
    ("Шевченко", "shevchenko"),
    ("李", "li"),
    ("van der Berg", "vanderberg"),
    ("Đorđević", "djordjevic"),
    ("İnci", "inci"),
    ("Nguyễn", "nguyen"),
    ("Åkesson", "akesson"),
    ("Müller", "muller"),
    ("Smith", "smith"),
    ("D'Souza", "dsouza"),
    ("Φωτεινού", "foteinou"),
    ("Okonkwo", "okonkwo"),
    ("佐藤", "sato"),
    ("Nováková", "novakova"),
    ("de la Cruz", "delacruz"),
    ("Kim", "kim"),
];

pub const DEPARTMENTS: &[&str] = &[
    "Finance",
    "Sales",
    "Engineering",
    "People & Culture",
    "R&D",
    "Dirección",
    "Legal",
    "IT",
    "Marketing",
    "Support",
];

pub const TITLES: &[&str] = &[
    "Engineer",
    "Senior Engineer",
    "Analyst",
    "Account Executive",
    "Team Lead",
    "Técnico",
    "Counsel",
    "Designer",
    "Director",
];

pub const COMPANIES: &[&str] = &["Contoso", "Contoso Iberia S.L.", "Fabrikam", "Contoso 日本"];

/// City, state, country name, country code, language, time zone.
pub const PLACES: &[(&str, &str, &str, &str, &str, &str)] = &[
    ("Oslo", "Oslo", "Norway", "NO", "nb-NO", "Europe/Oslo"),
    (
        "Málaga",
        "Andalucía",
        "Spain",
        "ES",
        "es-ES",
        "Europe/Madrid",
    ),
    (
        "München",
        "Bayern",
        "Germany",
        "DE",
        "de-DE",
        "Europe/Berlin",
    ),
    (
        "Seattle",
        "WA",
        "United States",
        "US",
        "en-US",
        "America/Los_Angeles",
    ),
    ("東京", "東京都", "Japan", "JP", "ja-JP", "Asia/Tokyo"),
    ("Київ", "Київ", "Ukraine", "UA", "uk-UA", "Europe/Kyiv"),
    ("Cairo", "Cairo", "Egypt", "EG", "ar-EG", "Africa/Cairo"),
];
