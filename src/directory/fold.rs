//! How keys, names and globs compare: after NFC and full Unicode case folding, so that
//! `Straße` and `STRASSE`, or a composed and a decomposed `é`, are one.

use unicode_normalization::UnicodeNormalization;

/// The form of `text` that comparing uses.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let composed: String = text.nfc().collect();
    // Folding can leave a decomposed pair behind (U+0130), so compose once more.
    caseless::default_case_fold_str(&composed).nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn case_and_composition_do_not_matter() {
        assert_eq!(fold("Straße"), fold("STRASSE"));
        assert_eq!(fold("Jose\u{301}"), fold("JOSÉ"));
        assert_eq!(fold("ΣΊΣΥΦΟΣ"), fold("σίσυφος"));
    }

    #[test]
    fn folding_twice_changes_nothing() {
        for text in ["İstanbul", "ﬁne", "ǰ", "Jane@Contoso.com"] {
            assert_eq!(fold(&fold(text)), fold(text));
        }
    }
}
