//! Rows as lines of COPY's text format, the quickest way into a table there is.

use bytes::Bytes;
use futures::SinkExt;
use tokio_postgres::Transaction;

use super::trouble::Trouble;

/// How much is handed over at once: enough for the socket to be busy, little to hold twice.
const PIECE: usize = 256 * 1024;

#[derive(Default)]
pub struct Lines {
    text: String,
    rows: usize,
}

impl Lines {
    pub fn new() -> Lines {
        Lines::default()
    }

    /// Adds a row; None is null.
    pub fn row(&mut self, fields: &[Option<&str>]) {
        for (place, field) in fields.iter().enumerate() {
            if place > 0 {
                self.text.push('\t');
            }
            match field {
                None => self.text.push_str("\\N"),
                Some(field) => self.field(field),
            }
        }
        self.text.push('\n');
        self.rows += 1;
    }

    fn field(&mut self, field: &str) {
        let mut rest = field;
        while let Some(place) = rest.find(['\\', '\t', '\n', '\r']) {
            self.text.push_str(&rest[..place]);
            self.text.push_str(match rest.as_bytes()[place] {
                b'\\' => "\\\\",
                b'\t' => "\\t",
                b'\n' => "\\n",
                _ => "\\r",
            });
            rest = &rest[place + 1..];
        }
        self.text.push_str(rest);
    }

    /// Sends the rows into a table, given with its columns.
    pub async fn into(self, transaction: &Transaction<'_>, table: &str) -> Result<(), Trouble> {
        if self.rows == 0 {
            return Ok(());
        }
        let copy = format!("copy {table} from stdin");
        let sink = transaction.copy_in::<_, Bytes>(&copy).await?;
        let mut sink = std::pin::pin!(sink);
        let mut text = Bytes::from(self.text);
        while !text.is_empty() {
            let piece = text.split_to(text.len().min(PIECE));
            sink.send(piece).await?;
        }
        sink.as_mut().finish().await?;
        Ok(())
    }
}

/// A list of texts as PostgreSQL writes an array.
pub fn array<'a>(texts: impl Iterator<Item = &'a String>) -> String {
    let mut array = String::from("{");
    for text in texts {
        if array.len() > 1 {
            array.push(',');
        }
        array.push('"');
        array.push_str(&text.replace('\\', "\\\\").replace('"', "\\\""));
        array.push('"');
    }
    array.push('}');
    array
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_field_or_a_row_is_escaped() {
        let mut lines = Lines::new();
        lines.row(&[Some("a\tb\\N\r\nc"), None, Some(""), Some("ü")]);
        assert_eq!(lines.text, "a\\tb\\\\N\\r\\nc\t\\N\t\tü\n");
    }

    #[test]
    fn an_array_keeps_quotes_and_commas_apart() {
        let texts = ["a,b".to_owned(), "c\"d\\".to_owned()];
        assert_eq!(array(texts.iter()), r#"{"a,b","c\"d\\"}"#);
        assert_eq!(array([].iter()), "{}");
    }
}
