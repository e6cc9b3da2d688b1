//! Who may call: bearer tokens with roles, compared in constant time.

use axum::{
    extract::FromRequestParts,
    http::{
        HeaderMap, StatusCode,
        header::{AUTHORIZATION, WWW_AUTHENTICATE},
        request::Parts,
    },
    response::{IntoResponse, Response},
};
use igra_config::{Role, TokensFile};
use subtle::ConstantTimeEq;

use crate::api::{Api, error::ApiError};

/// The tokens of the mounted file, as hashes: equal in length whatever the tokens are, and no secret in a memory dump.
pub struct Tokens(Vec<Known>);

struct Known {
    name: String,
    hash: [u8; 32],
    roles: Vec<Role>,
}

impl Tokens {
    /// Takes a checked file.
    pub fn new(file: &TokensFile) -> Self {
        let known = |entry: &igra_config::TokenEntry| Known {
            name: entry.name.clone(),
            hash: hash(entry.token.as_bytes()),
            roles: entry.roles.clone(),
        };
        Self(file.tokens.iter().map(known).collect())
    }

    /// Compares with every token, whichever fits, so that the time tells nothing.
    fn find(&self, token: &[u8]) -> Option<&Known> {
        let hash = hash(token);
        let mut found = None;
        for known in &self.0 {
            if bool::from(known.hash.ct_eq(&hash)) {
                found = Some(known);
            }
        }
        found
    }
}

fn hash(token: &[u8]) -> [u8; 32] {
    *blake3::hash(token).as_bytes()
}

/// A caller who may send events.
pub struct MaySubmit {
    /// The name of its token; `None` where nobody needs one.
    pub caller: Option<String>,
}

/// A caller who may look.
pub struct MayRead;

/// A caller who may give orders.
pub struct MayAdmin {
    /// The name of its token; `None` where nobody needs one.
    pub caller: Option<String>,
}

impl FromRequestParts<Api> for MaySubmit {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refused> {
        Ok(Self { caller: admit(api, &parts.headers, Role::Submit)? })
    }
}

impl FromRequestParts<Api> for MayRead {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refused> {
        admit(api, &parts.headers, Role::Read).map(|_| Self)
    }
}

impl FromRequestParts<Api> for MayAdmin {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refused> {
        Ok(Self { caller: admit(api, &parts.headers, Role::Admin)? })
    }
}

fn admit(api: &Api, headers: &HeaderMap, role: Role) -> Result<Option<String>, Refused> {
    let Some(tokens) = &api.tokens else {
        return Ok(None);
    };
    let tokens = tokens.borrow();
    let known = bearer(headers).and_then(|token| tokens.find(token)).ok_or(Refused::Unknown)?;
    if !known.roles.contains(&role) && !known.roles.contains(&Role::Admin) {
        return Err(Refused::Role(role));
    }
    Ok(Some(known.name.clone()))
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
}

/// Why a caller is turned away.
pub enum Refused {
    /// No token, or none of ours: which of the two is not said.
    Unknown,
    Role(Role),
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Unknown => {
                let message = "a bearer token of this signer is needed";
                let error = ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message);
                ([(WWW_AUTHENTICATE, "Bearer")], error).into_response()
            }
            Self::Role(role) => {
                let role = match role {
                    Role::Submit => "submit",
                    Role::Read => "read",
                    Role::Admin => "admin",
                };
                let message = format!("the token lacks the role {role}");
                ApiError::new(StatusCode::FORBIDDEN, "forbidden", message).with("role", role).into_response()
            }
        }
    }
}
