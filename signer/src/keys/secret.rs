//! 32 secret bytes on their way from a file, or fresh randomness, to a key.

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use rand::{RngCore, rngs::OsRng};
use zeroize::Zeroizing;

use crate::keys::KeyError;

/// 32 bytes that are wiped when dropped. A key file holds them as 64 digits of hex, a line end after them or not.
pub struct Secret(Zeroizing<[u8; 32]>);

impl Secret {
    /// Fresh from the operating system's randomness.
    pub fn generate() -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        OsRng.fill_bytes(bytes.as_mut());
        Self(bytes)
    }

    /// Reads a key file; warns in the log if everyone on the machine could.
    pub fn read(file: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::Read { file: file.to_owned(), source };
        let mut opened = File::open(file).map_err(failed)?;
        let mode = opened.metadata().map_err(failed)?.permissions().mode();
        if mode & 0o004 != 0 {
            tracing::warn!(file = %file.display(), mode = format!("{:o}", mode & 0o777), "everyone may read this key file");
        }
        // A buffer of fixed size never moves, so no copy of its content is left behind unwiped.
        let mut text = Zeroizing::new([0; 80]);
        let length = fill(&mut opened, text.as_mut()).map_err(failed)?;
        Self::from_hex(text[..length].trim_ascii_end()).ok_or_else(|| KeyError::Shape(file.to_owned()))
    }

    /// Writes a new key file that only its owner may read.
    pub fn write_new(&self, file: &Path) -> Result<(), KeyError> {
        let failed = |source: std::io::Error| match source.kind() {
            ErrorKind::AlreadyExists => KeyError::Exists(file.to_owned()),
            _ => KeyError::Write { file: file.to_owned(), source },
        };
        let mut opened =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(failed)?;
        let mut line = self.hex();
        line.push('\n');
        opened.write_all(line.as_bytes()).and_then(|()| opened.sync_all()).map_err(failed)
    }

    /// As a key file holds it, without a line end.
    pub fn hex(&self) -> Zeroizing<String> {
        // With room for the line end, so that the text does not move when one is added.
        let mut text = Zeroizing::new(String::with_capacity(65));
        let mut digits = Zeroizing::new([0; 64]);
        hex::encode_to_slice(self.0.as_ref(), digits.as_mut()).expect("64 digits hold 32 bytes");
        text.extend(digits.iter().map(|digit| char::from(*digit)));
        text
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn from_hex(digits: &[u8]) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(digits, bytes.as_mut()).ok()?;
        Some(Self(bytes))
    }

    #[cfg(test)]
    pub(super) fn of(byte: u8) -> Self {
        Self(Zeroizing::new([byte; 32]))
    }
}

/// Reads until the end or until the buffer is full.
fn fill(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read(&mut buffer[length..])? {
            0 => break,
            more => length += more,
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &str) -> Result<Secret, KeyError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("signing.key");
        std::fs::write(&file, content).unwrap();
        Secret::read(&file)
    }

    #[test]
    fn a_line_end_after_the_digits_changes_nothing() {
        let digits = "ab".repeat(32);
        for end in ["", "\n", "\r\n"] {
            assert_eq!(read(&format!("{digits}{end}")).ok().unwrap().bytes(), &[0xab; 32]);
        }
    }

    #[test]
    fn anything_but_64_digits_is_refused_without_showing_it() {
        let short = "ab".repeat(31);
        let long = "ab".repeat(33);
        for content in [
            "",
            "zz",
            &short,
            &long,
            &format!("0x{short}"),
            &format!(" {}", "ab".repeat(32)),
            &"ab".repeat(500),
        ] {
            let error = read(content).err().expect("refused");
            assert!(matches!(error, KeyError::Shape(_)));
            assert!(content.is_empty() || !error.to_string().contains(content));
        }
    }

    #[test]
    fn a_written_key_reads_back_is_private_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("signing.key");
        let secret = Secret::generate();

        secret.write_new(&file).unwrap();

        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Secret::read(&file).ok().unwrap().bytes(), secret.bytes());
        assert!(matches!(Secret::generate().write_new(&file), Err(KeyError::Exists(_))));
        assert_eq!(Secret::read(&file).ok().unwrap().bytes(), secret.bytes());
    }
}
