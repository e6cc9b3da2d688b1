//! `tokens.yaml`: who may call the API, and for what.

use std::{fmt, path::Path};

use serde::{Deserialize, Serialize};

use crate::{ConfigError, Problem, load};

/// The tokens of one signer's API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokensFile {
    pub tokens: Vec<TokenEntry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenEntry {
    /// Whose it is, for logs.
    pub name: String,
    pub token: Token,
    pub roles: Vec<Role>,
}

/// A bearer token. Its text is never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// May send events.
    Submit,
    /// May read events and the group.
    Read,
    /// May do everything.
    Admin,
}

impl TokensFile {
    /// Shortest token, in bytes: less can be guessed.
    pub const LEAST_TOKEN_BYTES: usize = 16;

    /// Reads and checks the file. Errors never hold a token.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let file: Self = load::yaml(path)?;
        for (at, entry) in file.tokens.iter().enumerate() {
            let fail = |key: &str, what: &str| Problem::at(path, format!("tokens.{at}.{key}"), what);
            if entry.token.0.len() < Self::LEAST_TOKEN_BYTES {
                return Err(fail("token", "a token has at least 16 characters").into());
            }
            if entry.roles.is_empty() {
                return Err(fail("roles", "at least one is needed: submit, read or admin").into());
            }
            if file.tokens[..at].iter().any(|other| other.name == entry.name || other.token == entry.token) {
                return Err(fail("name", "another entry has the same name or token").into());
            }
        }
        Ok(file)
    }
}

impl Token {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// For a comparison in constant time, and for nothing else.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}
