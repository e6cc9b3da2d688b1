//! Kubernetes quantities in the one form that the API server gives them, so that what we ask for equals what it holds.

const DECIMAL: [&str; 7] = ["m", "", "k", "M", "G", "T", "P"];
const BINARY: [&str; 6] = ["", "Ki", "Mi", "Gi", "Ti", "Pi"];

/// `1024Mi` as `1Gi`, `0.5` as `500m`; none for a text that is zero, or no quantity with at most three decimals.
pub fn canonical(text: &str) -> Option<String> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(split);
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let digits =
        |part: &str, most| (1..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole, 15) || !digits(decimals, 3) {
        return None;
    }
    let scale = 10u128.pow(u32::try_from(decimals.len()).ok()?);
    let scaled: u128 = format!("{whole}{decimals}").parse().ok()?;
    match BINARY.iter().position(|known| !known.is_empty() && *known == suffix) {
        Some(power) => binary(scaled.checked_mul(1u128 << (10 * power))?, scale),
        None => decimal(scaled, scale, suffix),
    }
}

fn binary(scaled: u128, scale: u128) -> Option<String> {
    if !scaled.is_multiple_of(scale) {
        return decimal(scaled, scale, "");
    }
    let mut value = Some(scaled / scale).filter(|value| *value > 0)?;
    let mut power = 0;
    while value.is_multiple_of(1024) && power + 1 < BINARY.len() {
        value /= 1024;
        power += 1;
    }
    Some(format!("{value}{}", BINARY[power]))
}

fn decimal(scaled: u128, scale: u128, suffix: &str) -> Option<String> {
    let unit = DECIMAL.iter().position(|known| *known == suffix)?;
    let milli = scaled.checked_mul(1_000u128.pow(u32::try_from(unit).ok()?))?;
    // The API server rounds up to a thousandth as well.
    let mut value = Some(milli.div_ceil(scale)).filter(|value| *value > 0)?;
    let mut power = 0;
    while value.is_multiple_of(1_000) && power + 1 < DECIMAL.len() {
        value /= 1_000;
        power += 1;
    }
    Some(format!("{value}{}", DECIMAL[power]))
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
