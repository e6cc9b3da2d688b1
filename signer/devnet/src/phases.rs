//! How long events took to each phase, by what a signer's metrics counted meanwhile.

use std::collections::BTreeMap;

const SUM: &str = "igra_event_phase_duration_seconds_sum{phase=\"";
const COUNT: &str = "igra_event_phase_duration_seconds_count{phase=\"";

/// Sum in seconds and number of events, by phase.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Phases(BTreeMap<String, (f64, f64)>);

impl Phases {
    /// From a signer's metrics as Prometheus reads them.
    pub fn read(metrics: &str) -> Self {
        let mut phases = BTreeMap::<String, (f64, f64)>::new();
        for line in metrics.lines() {
            if let Some((phase, value)) = labelled(line, SUM) {
                phases.entry(phase.to_owned()).or_default().0 = value;
            } else if let Some((phase, value)) = labelled(line, COUNT) {
                phases.entry(phase.to_owned()).or_default().1 = value;
            }
        }
        Self(phases)
    }

    /// Mean milliseconds from an event being taken to each phase that some reached since then, the soonest first.
    pub fn since(&self, before: &Self) -> Vec<(String, f64)> {
        let mut means: Vec<(String, f64)> = Vec::new();
        for (phase, (sum, count)) in &self.0 {
            let (sum_before, count_before) = before.0.get(phase).copied().unwrap_or_default();
            if *count > count_before {
                means.push((phase.clone(), (sum - sum_before) / (count - count_before) * 1000.0));
            }
        }
        means.sort_by(|one, other| one.1.total_cmp(&other.1));
        means
    }
}

fn labelled<'a>(line: &'a str, prefix: &str) -> Option<(&'a str, f64)> {
    let (phase, value) = line.strip_prefix(prefix)?.split_once("\"} ")?;
    Some((phase, value.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_of_what_was_counted_meanwhile() {
        let before = Phases::read(
            "igra_event_phase_duration_seconds_sum{phase=\"proposed\"} 1\n\
             igra_event_phase_duration_seconds_count{phase=\"proposed\"} 4\n\
             igra_event_phase_duration_seconds_sum{phase=\"final\"} 9\n\
             igra_event_phase_duration_seconds_count{phase=\"final\"} 1\n",
        );
        let after = Phases::read(
            "igra_event_phase_duration_seconds_sum{phase=\"proposed\"} 1.5\n\
             igra_event_phase_duration_seconds_count{phase=\"proposed\"} 6\n\
             igra_event_phase_duration_seconds_sum{phase=\"final\"} 9\n\
             igra_event_phase_duration_seconds_count{phase=\"final\"} 1\n\
             igra_event_phase_duration_seconds_sum{phase=\"approved\"} 0.02\n\
             igra_event_phase_duration_seconds_count{phase=\"approved\"} 1\n",
        );
        assert_eq!(after.since(&before), [("approved".to_owned(), 20.0), ("proposed".to_owned(), 250.0)]);
    }
}
