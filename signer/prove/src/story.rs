//! A way through the search told line by line, so that a reader can follow it with protocol and pencil.

use crate::{
    mask::Mask,
    model::{Action, Model},
    search::Finding,
    universe::letter,
};

/// The lines of a finding; none where nothing was found.
pub fn story(model: &Model<'_>, finding: &Finding, live: Option<Mask>) -> Vec<String> {
    match finding {
        Finding::Nothing | Finding::Unfinished => Vec::new(),
        Finding::EndedTwice { event, way } => {
            let mut lines = told(model, way);
            lines.push(ended_twice(model, *event, way));
            lines
        }
        Finding::Stuck { event, states, way } => {
            let mut lines = told(model, way);
            let members = live.map_or_else(|| "the members".to_owned(), members);
            let more = if *states > 1 { format!(" ({states} such states)") } else { String::new() };
            let event = letter(*event);
            let since = if way.is_empty() { "from the beginning" } else { "now" };
            lines.push(format!("{since} event {event} can never end, whatever {members} do{more}"));
            lines
        }
    }
}

fn told(model: &Model<'_>, way: &[Action]) -> Vec<String> {
    way.iter()
        .enumerate()
        .map(|(step, action)| format!("{:>2}. {}", step + 1, line(model, *action)))
        .collect()
}

fn ended_twice(model: &Model<'_>, event: usize, way: &[Action]) -> String {
    let all = &model.universe.transactions;
    let ends = way.iter().filter_map(|action| match action {
        Action::Finalise(x) if all[*x].events.has(event) => Some(format!("\"{}\"", all[*x].text)),
        _ => None,
    });
    format!("event {} has ended twice: {}", letter(event), ends.collect::<Vec<_>>().join(" and "))
}

fn line(model: &Model<'_>, action: Action) -> String {
    let text = |x: usize| model.universe.transactions[x].text;
    let (m, q) = (model.shape.m, model.shape.q);
    match action {
        Action::Approve(i, x) if m == q => format!("member {i} approves and signs \"{}\"", text(x)),
        Action::Approve(i, x) => format!("member {i} approves \"{}\"", text(x)),
        Action::Sign(i, x) => format!("member {i} holds a certificate and signs \"{}\"", text(x)),
        Action::Begin => "the new group sees that it may pay".to_owned(),
        Action::Succeed(x) => format!("the new group approves and signs \"{}\"", text(x)),
        Action::Accept(x) => format!("the chain takes \"{}\"", text(x)),
        Action::TakeBack(x) => format!("a reorganisation takes \"{}\" back", text(x)),
        Action::Finalise(x) => format!("\"{}\" is final", text(x)),
        Action::RollBack(i) => format!("member {i}'s store goes back in time and has forgotten all"),
        Action::Heal(i) => format!("member {i} promises what its peers' answers say, and goes on"),
        Action::Leave(i) => format!("member {i} is washed and leaves quarantine"),
        Action::TurnAgainst(i) => format!("member {i} has a reason against paying from now on"),
        Action::Cancel => "a signed cancel reaches everybody".to_owned(),
        Action::Deadline => "the deadline passes".to_owned(),
    }
}

fn members(live: Mask) -> String {
    let names: Vec<String> = live.each().map(|i| i.to_string()).collect();
    format!("members {}", names.join(", "))
}
