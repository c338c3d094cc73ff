//! Samples, their medians, and the table.

use std::time::Duration;

use crate::Vendor;

/// One run of one program.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub wall: Duration,
    pub cpu: Duration,
    pub peak_kib: u64,
    /// As the simulator counted them.
    pub requests: u64,
    /// Graph's resource units.
    pub units: u64,
}

/// One thing that was measured: the median of each number over its runs.
pub struct Row {
    name: String,
    median: Sample,
    /// The row of the floor that the same work is compared with.
    floor: Option<usize>,
}

impl Row {
    /// There is at least one sample.
    pub fn of(name: impl Into<String>, samples: &[Sample]) -> Row {
        Row {
            name: name.into(),
            median: Sample {
                wall: median(samples, |sample| sample.wall),
                cpu: median(samples, |sample| sample.cpu),
                peak_kib: median(samples, |sample| sample.peak_kib),
                requests: median(samples, |sample| sample.requests),
                units: median(samples, |sample| sample.units),
            },
            floor: None,
        }
    }

    pub fn beside(mut self, floor: usize) -> Row {
        self.floor = Some(floor);
        self
    }
}

fn median<T: Ord + Copy>(samples: &[Sample], of: impl Fn(&Sample) -> T) -> T {
    let mut all: Vec<T> = samples.iter().map(of).collect();
    all.sort_unstable();
    all[all.len() / 2]
}

/// Prints the rows as a table in Markdown; factors of the floor in parentheses.
pub fn print(rows: &[Row], vendor: Vendor) {
    let units = vendor == Vendor::Graph;
    let last = if units { " units |" } else { "" };
    println!("| | wall | CPU | peak memory | requests |{last}");
    println!(
        "| --- | --- | --- | --- | --- |{}",
        if units { " --- |" } else { "" }
    );
    for row in rows {
        let Sample {
            wall,
            cpu,
            peak_kib,
            requests,
            units: cost,
        } = row.median;
        let floor = row.floor.map(|floor| rows[floor].median);
        let factor = |of: fn(&Sample) -> f64| match &floor {
            Some(floor) => format!(" ({})", times(of(&row.median) / of(floor))),
            None => String::new(),
        };
        let mut line = format!(
            "| {} | {}{} | {}{} | {} MiB | {}{} |",
            row.name,
            seconds(wall),
            factor(|sample| sample.wall.as_secs_f64()),
            seconds(cpu),
            factor(|sample| sample.cpu.as_secs_f64()),
            peak_kib / 1_024,
            requests,
            factor(|sample| sample.requests as f64),
        );
        if units {
            line += &format!(" {cost}{} |", factor(|sample| sample.units as f64));
        }
        println!("{line}");
    }
}

fn seconds(time: Duration) -> String {
    match time.as_secs_f64() {
        long if long >= 10.0 => format!("{long:.1} s"),
        long => format!("{long:.2} s"),
    }
}

fn times(factor: f64) -> String {
    match factor {
        large if large >= 10.0 => format!("{large:.0}×"),
        small => format!("{small:.1}×"),
    }
}
