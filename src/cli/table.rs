//! Aligned columns for people, by the width that a terminal shows.

use unicode_width::UnicodeWidthStr;

/// Prints rows under a heading; nothing but the heading's absence where there are none.
pub fn print(heading: &[&str], rows: &[Vec<String>]) {
    print!("{}", render(heading, rows));
}

fn render(heading: &[&str], rows: &[Vec<String>]) -> String {
    let mut all: Vec<Vec<String>> = vec![heading.iter().map(|cell| (*cell).to_owned()).collect()];
    all.extend(
        rows.iter()
            .map(|row| row.iter().map(|cell| clean(cell)).collect()),
    );
    let mut widths = vec![0; heading.len()];
    for row in &all {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let mut text = String::new();
    for row in &all {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width - cell.width() + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A text from outside must not steer the terminal.
pub fn clean(cell: &str) -> String {
    cell.chars()
        .map(|c| if c.is_control() { '\u{FFFD}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::render;

    #[test]
    fn wide_characters_do_not_break_the_columns() {
        let rows = vec![
            vec!["日本".into(), "a".into()],
            vec!["x".into(), "b".into()],
        ];
        assert_eq!(render(&["who", "n"], &rows), "who   n\n日本  a\nx     b\n");
    }

    #[test]
    fn a_name_cannot_send_escape_sequences() {
        let rows = vec![vec!["\u{1b}[2J".into()]];
        assert!(!render(&["who"], &rows).contains('\u{1b}'));
    }
}
