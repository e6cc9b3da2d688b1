//! Kubernetes quantities in the one form that the API server gives them, so that what we ask for equals what it holds.

const DECIMAL: [&str; 7] = ["m", "", "k", "M", "G", "T", "P"];
const BINARY: [&str; 6] = ["", "Ki", "Mi", "Gi", "Ti", "Pi"];

/// `1024Mi` as `1Gi`, `0.5` as `500m`; none for a text that is zero, or no quantity with at most three decimals.
pub fn canonical(text: &str) -> Option<String> {
    let (milli, is_binary) = parse(text)?;
    // A part of a byte has no binary form.
    if is_binary && milli.is_multiple_of(1_000) {
        Some(shortest(milli / 1_000, 1_024, &BINARY))
    } else {
        Some(shortest(milli, 1_000, &DECIMAL))
    }
}

/// Whether one quantity is larger than the other; not where one of them is none.
pub fn is_larger(one: &str, other: &str) -> bool {
    parse(one).zip(parse(other)).is_some_and(|((one, _), (other, _))| one > other)
}

/// Thousandths, and whether they were written in powers of 1024.
fn parse(text: &str) -> Option<(u128, bool)> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(split);
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let digits =
        |part: &str, most| (1..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole, 15) || !digits(decimals, 3) {
        return None;
    }
    let thousandths: u128 = format!("{whole}{decimals:0<3}").parse().ok()?;
    let power = |of: u128, suffixes: &[&str]| {
        let at = suffixes.iter().position(|known| *known == suffix)?;
        of.checked_pow(u32::try_from(at).ok()?)
    };
    let (milli, is_binary) = match power(1_000, &DECIMAL) {
        // The API server rounds up to a thousandth as well.
        Some(unit) => (thousandths.checked_mul(unit)?.div_ceil(1_000), false),
        None => (thousandths.checked_mul(power(1_024, &BINARY)?)?, true),
    };
    (milli > 0).then_some((milli, is_binary))
}

fn shortest(mut value: u128, step: u128, suffixes: &[&str]) -> String {
    let mut power = 0;
    while value.is_multiple_of(step) && power + 1 < suffixes.len() {
        value /= step;
        power += 1;
    }
    format!("{value}{}", suffixes[power])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_take_the_form_of_the_api_server() {
        for (text, expected) in [
            ("10Gi", "10Gi"),
            ("1024Mi", "1Gi"),
            ("0.5Gi", "512Mi"),
            ("1536Mi", "1536Mi"),
            ("4.6Ki", "4710400m"),
            ("0.5m", "1m"),
            ("0.5", "500m"),
            ("1000m", "1"),
            ("1500m", "1500m"),
            ("1000k", "1M"),
            ("50m", "50m"),
            ("1000", "1k"),
            ("1024", "1024"),
        ] {
            assert_eq!(canonical(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in ["", "0", "0Gi", "-1", "1e3", "1 Gi", "Gi", "1.", ".5", "1gi", "1.2345", "5n"] {
            assert_eq!(canonical(text), None, "{text}");
        }
    }
}
