//! Names from a directory, made harmless to look at.

use std::borrow::Cow;

/// Whether a character steers what shows it, instead of being shown.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61C}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{FEFF}'
            | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{E0000}'..='\u{E007F}')
}

/// The text with everything spelled out that would move a cursor, colour a terminal or turn
/// the direction of reading: a name from a directory must not be able to rewrite the report.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut spelled = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match is_hidden(c) {
            true => spelled.extend(c.escape_default()),
            false => spelled.push(c),
        }
    }
    Cow::Owned(spelled)
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn what_steers_is_spelled_out_and_the_rest_stays() {
        assert_eq!(visible("Zoë 山田 👩‍🚀"), "Zoë 山田 👩‍🚀");
        assert_eq!(visible("a\u{1b}[2Jb\r\n"), "a\\u{1b}[2Jb\\r\\n");
        assert_eq!(visible("\u{202e}gpj.exe\u{9b}"), "\\u{202e}gpj.exe\\u{9b}");
    }
}
