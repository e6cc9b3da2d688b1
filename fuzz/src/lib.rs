//! What the fuzz targets check, one function for each, over any bytes. The ordinary tests of `igra-tx` and `igra-core`
//! run the same functions over `corpus/` and `regressions/`.

pub mod bounds;
pub mod keys;
pub mod listener;
pub mod messages;
pub mod records;
pub mod talk;
pub mod tx;
pub mod world;

/// The targets of `igra-core`; those of `igra-tx` are in [`tx::TARGETS`].
pub const CORE_TARGETS: [bounds::Target; 5] = [
    ("sealed", messages::sealed),
    ("resealed", messages::resealed),
    ("body", messages::body),
    ("rows", records::rows),
    ("talk", talk::talk),
];
