//! Which fault met which phase, and how often.

use std::collections::BTreeMap;

use crate::{fault::Fault, phases::Phase};

/// Counts of a run or of many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matrix(BTreeMap<(Fault, Phase), u64>);

impl Matrix {
    /// A fault hit a signer that has an event in this phase.
    pub fn count(&mut self, fault: Fault, phase: Phase) {
        *self.0.entry((fault, phase)).or_default() += 1;
    }

    /// How often that happened.
    pub fn of(&self, fault: Fault, phase: Phase) -> u64 {
        self.0.get(&(fault, phase)).copied().unwrap_or(0)
    }

    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Self) {
        for (cell, count) in &other.0 {
            *self.0.entry(*cell).or_default() += count;
        }
    }

    /// Cells that concern the core and were never reached.
    pub fn missing(&self) -> Vec<(Fault, Phase)> {
        let concerns = Fault::all().filter(|fault| fault.never().is_none());
        let cells = concerns.flat_map(|fault| Phase::ALL.map(|phase| (fault, phase)));
        cells.filter(|(fault, phase)| self.of(*fault, *phase) == 0).collect()
    }

    /// As a table for people, with what is missing and what is out of reach below.
    pub fn table(&self) -> String {
        let mut lines = vec![
            Phase::ALL
                .iter()
                .fold(format!("{:<44}", "fault"), |line, phase| format!("{line} {:>9}", phase.name())),
        ];
        for fault in Fault::all().filter(|fault| fault.never().is_none()) {
            let name = format!("{:<8} {}", fault.group(), fault.name());
            let row = Phase::ALL
                .iter()
                .fold(format!("{name:<44}"), |line, phase| format!("{line} {:>9}", self.of(fault, *phase)));
            lines.push(row);
        }
        let missing = self.missing();
        lines.push(format!("{} cells never reached", missing.len()));
        lines.extend(missing.iter().map(|(fault, phase)| format!("  {} × {}", fault.name(), phase.name())));
        lines.push("not concerning the core:".to_owned());
        let never = Fault::all().filter_map(|fault| Some((fault, fault.never()?)));
        lines.extend(never.map(|(fault, why)| format!("  {} {}: {why}", fault.group(), fault.name())));
        lines.join("\n")
    }

    /// The same for programs.
    pub fn json(&self) -> serde_json::Value {
        let concerns = Fault::all().filter(|fault| fault.never().is_none());
        let cells = concerns.flat_map(|fault| Phase::ALL.map(|phase| (fault, phase)));
        let cells = cells.map(|(fault, phase)| {
            serde_json::json!({
                "group": fault.group(), "fault": fault.name(), "phase": phase.name(),
                "count": self.of(fault, phase),
            })
        });
        let never = Fault::all().filter_map(|fault| Some((fault, fault.never()?)));
        let never = never.map(
            |(fault, why)| serde_json::json!({ "group": fault.group(), "fault": fault.name(), "why": why }),
        );
        serde_json::json!({
            "cells": cells.collect::<Vec<_>>(), "never_reached": self.missing().len(),
            "not_concerning_the_core": never.collect::<Vec<_>>(),
        })
    }
}
