//! Fields that a later version added at the end of a body.
//!
//! Reading: where the bytes end before the field, it is its default, so a body of an earlier version reads. Writing: a
//! default writes nothing, so a member of an earlier version reads the body as long as the field says nothing. Each
//! value has one form only: a default that was written out is refused.

use std::io::{Chain, Error, ErrorKind, Read, Result, Write};

use borsh::{BorshDeserialize, BorshSerialize};

/// For `#[borsh(deserialize_with)]`.
pub(super) fn read<T, R>(reader: &mut R) -> Result<T>
where
    T: BorshDeserialize + Default + PartialEq,
    R: Read,
{
    let mut first = [0; 1];
    if reader.read(&mut first)? == 0 {
        return Ok(T::default());
    }
    let mut whole: Chain<&[u8], &mut R> = first.as_slice().chain(reader);
    let value = T::deserialize_reader(&mut whole)?;
    if value == T::default() {
        return Err(Error::new(ErrorKind::InvalidData, "a default is left out"));
    }
    Ok(value)
}

/// For `#[borsh(serialize_with)]`.
pub(super) fn write<T, W>(value: &T, writer: &mut W) -> Result<()>
where
    T: BorshSerialize + Default + PartialEq,
    W: Write,
{
    if *value == T::default() { Ok(()) } else { value.serialize(writer) }
}
