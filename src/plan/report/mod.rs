//! A plan put into words: for people, for programs, for a ticket, for a spreadsheet.
//!
//! A preview and the report of a run are the same document, written by the same functions;
//! what became of each action is the only difference. Every format streams: nothing here
//! holds more than a line of the plan at a time. `words` is what all formats say alike,
//! `json` the document that programs rely on and that `rosterd apply` reads again.

mod csv;
pub mod html;
pub mod json;
mod markdown;
mod text;
pub mod words;

use std::io::{self, BufWriter, Write};
use std::str::FromStr;

use super::spool::{Plan, PlanError};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    Text,
    Json,
    Html,
    Markdown,
    Csv,
}

impl Format {
    pub const ALL: [Format; 5] = [
        Format::Text,
        Format::Json,
        Format::Html,
        Format::Markdown,
        Format::Csv,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Format::Text => "text",
            Format::Json => "json",
            Format::Html => "html",
            Format::Markdown => "markdown",
            Format::Csv => "csv",
        }
    }

    /// What a server says it sends.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; charset=utf-8",
            Format::Json => "application/json",
            Format::Html => "text/html; charset=utf-8",
            Format::Markdown => "text/markdown; charset=utf-8",
            Format::Csv => "text/csv; charset=utf-8; header=present",
        }
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Format, UnknownFormat> {
        Format::ALL
            .into_iter()
            .find(|format| format.as_str() == name)
            .ok_or_else(|| UnknownFormat(name.to_owned()))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("there is no report format {0:?}; choose text, json, html, markdown or csv")]
pub struct UnknownFormat(String);

/// Whether text is coloured by terminal sequences. Other formats do not care.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    Plain,
    Coloured,
}

#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("could not write the report")]
    Write(#[from] io::Error),
    #[error("could not read the plan for its report")]
    Plan(#[from] PlanError),
}

/// Writes the plan to `out` and flushes it.
pub fn write(
    plan: &Plan,
    format: Format,
    style: Style,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let mut out = BufWriter::new(out);
    match format {
        Format::Text => text::write(plan, style, &mut out)?,
        Format::Json => json::write(plan, &mut out)?,
        Format::Html => html::write(plan, &mut out)?,
        Format::Markdown => markdown::write(plan, &mut out)?,
        Format::Csv => csv::write(plan, &mut out)?,
    }
    Ok(out.flush()?)
}

#[cfg(test)]
pub(in crate::plan) mod sample;
#[cfg(test)]
mod tests;
