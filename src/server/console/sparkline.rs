//! A row of small bars, with words for who does not see them.

use maud::{Markup, html};

use crate::plan::report::words::number;

/// How wide a bar is with the gap beside it, and how high the highest.
const STEP: usize = 5;
const HEIGHT: u64 = 24;

/// `counts`, the oldest first, as bars up to the largest. A run without a change is a dot.
pub fn sparkline(counts: &[u64]) -> Markup {
    let Some(latest) = counts.last() else {
        return html! { span.none { "–" } };
    };
    let most = counts.iter().copied().max().unwrap_or(0);
    let runs = match counts.len() {
        1 => "the latest run".to_owned(),
        many => format!("the latest {many} runs"),
    };
    let words = format!(
        "Changes in {runs}: at most {}, in the last one {}",
        number(most),
        number(*latest)
    );
    let width = counts.len() * STEP;
    html! {
        svg.spark role="img" aria-label=(words) width=(width) height=(HEIGHT) viewBox={ "0 0 " (width) " " (HEIGHT) } {
            title { (words) }
            @for (place, count) in counts.iter().enumerate() {
                @let height = bar(*count, most);
                rect class=[(*count == 0).then_some("quiet")] x=(place * STEP) y=(HEIGHT - height) width=(STEP - 1) height=(height) {}
            }
        }
    }
}

/// The logarithm of a count, so that a first run of everybody leaves something to be seen of
/// the handfuls after it. A change always shows.
fn bar(count: u64, most: u64) -> u64 {
    if count == 0 {
        return 1;
    }
    let share = (count as f64).ln_1p() / (most.max(count) as f64).ln_1p();
    // Between nothing and the height, so that nothing is lost.
    ((share * HEIGHT as f64).round() as u64).clamp(3, HEIGHT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_say_what_the_bars_show() {
        let page = sparkline(&[0, 12_000, 3]).into_string();
        let words = "Changes in the latest 3 runs: at most 12,000, in the last one 3";
        assert!(page.contains(&format!("aria-label=\"{words}\"")), "{page}");
        assert_eq!(page.matches("<rect").count(), 3);
        assert!(
            page.contains("height=\"24\"></rect>"),
            "the largest: {page}"
        );
        assert!(sparkline(&[]).into_string().contains("–"));
        assert!(sparkline(&[7]).into_string().contains("the latest run:"));
    }

    #[test]
    fn every_change_is_to_be_seen_and_none_is_too_high() {
        assert_eq!(bar(0, 0), 1);
        assert_eq!(bar(1, u64::MAX), 3);
        assert_eq!(bar(u64::MAX, u64::MAX), HEIGHT);
        let heights: Vec<u64> = [1, 20, 300, 50_000].map(|count| bar(count, 50_000)).into();
        assert!(heights.is_sorted_by(|a, b| a < b), "{heights:?}");
    }
}
